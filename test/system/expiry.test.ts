import { fileURLToPath } from 'node:url';
import test from 'ava';
import { answered, callerFor, refused } from '../support/api.js';
import { CreateVolumeRequest, VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { folderFor } from '../support/folder.js';
import { Installation, until } from '../support/installation.js';
import { redisUrlFor } from '../support/redis.js';

const CRASHING = fileURLToPath(new URL('../support/crashing-server.js', import.meta.url));
const EXPIRE_MS = 10_000;

test('what a process reserved and never recorded is held until it expires, and then there for the next', async (t) => {
  const installation = new Installation(t, await folderFor(t), {
    CINDER_REDIS_URL: await redisUrlFor(t),
    CINDER_RESERVATION_EXPIRE: String(EXPIRE_MS / 1_000),
    CINDER_API_FLOW_DEADLINE: '1',
    CINDER_QUOTA_VOLUMES: '1',
  });
  await installation.start([CRASHING, 'volume_create_api', 'QuotaReserve', 'SUCCESS']);
  const asked = performance.now();
  await installation
    .client()
    .create()
    .catch(() => undefined);
  t.is(await installation.process.ended(), 'SIGKILL');
  const reserved = performance.now();

  await installation.start();
  const client = installation.client();
  const call = callerFor(t, installation, 'demo');
  t.deepEqual(await client.usage(), { volumes: [0, 1], gigabytes: [0, 1] });
  const refusal = refused(await call(VolumesService.createVolume, CreateVolumeRequest.create({ size: 1 })));
  t.deepEqual(refusal.quota, ['volumes: limit 1, in use 0, reserved 1, asked 1']);

  // nobody but this reader asks, and recovery has no row to look at
  await until(async () => {
    const { volumes } = await client.usage();
    if (performance.now() < asked + EXPIRE_MS - 100) t.is(volumes[1], 1, 'it is held to the end');
    if (performance.now() > reserved + EXPIRE_MS + 1_000) t.is(volumes[1], 0, 'it is not held any longer');
    return volumes[1] === 0 ? true : undefined;
  }, 'the reservation to expire');
  const { volume } = answered(await call(VolumesService.createVolume, CreateVolumeRequest.create({ size: 1 })));
  await client.available(volume?.id ?? '');
  t.deepEqual(await client.usage(), { volumes: [1, 0], gigabytes: [1, 0] });
});
