import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { PoolsService } from '#src/gen/cinder/api/v3/pools.js';
import { ADMIN, answered, callerFor } from '../support/api.js';
import { folderFor } from '../support/folder.js';
import { installationFor, until } from '../support/installation.js';
import { CLI, processFor } from '../support/process.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';

/** By capacity alone every volume would go to `large`; `closed` is as good as `small` by its own word. */
const CONFIG = `
  enabled_backends = ["large", "small", "closed"]
  scheduler_default_filters = ["CapacityFilter", "DriverFilter"]
  scheduler_default_weighers = ["GoodnessWeigher"]
  max_over_subscription_ratio = "3.0"
  goodness_function = "10"

  [backends.large]
  capacity_gib = 8

  [backends.small]
  capacity_gib = 2
  reserved_percentage = 50
  max_over_subscription_ratio = "auto"
  goodness_function = "(volume.size < 3) ? 100 : 1"

  [backends.closed]
  capacity_gib = 8
  filter_function = "volume.size > 4"
  goodness_function = "100"
`;

test('the functions of a backend decide where volumes go, and its figures how many', async (t) => {
  const installation = await installationFor(t, { CINDER_CONFIG: await configFile(t, CONFIG) });
  const client = installation.client('demo', 'admin');
  const hostOf = async (size: number): Promise<string | undefined> =>
    (await client.available((await client.create({ size })).id)).host;

  t.is(await hostOf(1), 'node1@small#pool', 'its goodness wins');
  t.is(await hostOf(3), 'node1@large#pool', 'where small rates itself low, and closed rejects');
  t.is(await hostOf(5), 'node1@closed#pool', 'its filter lets it pass');

  const call = callerFor(t, installation, 'demo');
  const { pools } = answered(await call(PoolsService.listPools, { detail: true, name: '' }, ADMIN));
  const seen = Object.fromEntries(
    pools.map(({ name, capabilities: { filter_function: filter, goodness_function: goodness, ...figures } = {} }) => [
      name,
      [filter, goodness, figures['reserved_percentage'], figures['max_over_subscription_ratio']] as unknown[],
    ]),
  );
  t.deepEqual(seen, {
    'node1@large#pool': [null, '10', 0, '3'],
    'node1@small#pool': [null, '(volume.size < 3) ? 100 : 1', 50, 'auto'],
    'node1@closed#pool': ['volume.size > 4', '100', 0, '3'],
  });

  // 8 GiB promised three times over, of which 3 are taken; small has 1 GiB left to promise by half
  const tooLarge = await client.create({ size: 22 });
  const refused = await until(async () => {
    const volume = await client.get(tooLarge.id);
    return volume?.status === VolumeStatus.ERROR ? volume : undefined;
  }, 'the refusal');
  t.regex(refused.statusReason ?? '', /3 of 3 pools do not have enough room/);
});

test('an expression that cannot be read keeps a process from starting, and names its backend', async (t) => {
  const config = `
    enabled_backends = ["fast"]
    goodness_function = "${'('.repeat(1_000)}1${')'.repeat(1_000)}"
    [backends.fast]
    filter_function = "volume.size <"
  `;
  const environment = { CINDER_DATA_DIR: await folderFor(t), CINDER_CONFIG: await configFile(t, config) };
  const serve = processFor(t, process.execPath, [CLI, 'serve', 'all'], { env: environment });
  t.not(await serve.ended(), 0);
  t.regex(serve.stderr(), /^ *backends\.fast\.filter_function cannot be read: the expression is no expression/m);
  t.regex(serve.stderr(), /^ *goodness_function cannot be read: the expression /m);
});

async function configFile(t: Parameters<typeof folderFor>[0], text: string): Promise<string> {
  const file = join(await folderFor(t), 'cinder-grpc.toml');
  await writeFile(file, text);
  return file;
}
