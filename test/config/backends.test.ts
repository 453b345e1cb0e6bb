import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import test, { type ExecutionContext } from 'ava';

import { ConfigError, loadConfig, type LoadedConfig } from '#src/config/load.js';
import { folderFor } from '../support/folder.js';

async function load(
  t: ExecutionContext,
  toml: string,
  environment: Record<string, string> = {},
): Promise<LoadedConfig> {
  const file = join(await folderFor(t), 'c.toml');
  await writeFile(file, toml);
  return loadConfig({
    hostname: 'h',
    home: '/home/x',
    environment: { ...environment, CINDER_DATA_DIR: '/d' },
    flags: { config: file },
  });
}

test('each enabled backend gets its own table, and what it does not say comes from the whole', async (t) => {
  const { config } = await load(
    t,
    `
    enabled_backends = ["ssd", "hdd"]
    reserved_percentage = 5
    storage_availability_zone = "west"
    [backends.ssd]
    path = "/mnt/ssd"
    volume_backend_name = "fast"
    availability_zone = "east"
    capacity_gib = 100
    `,
  );

  t.deepEqual(
    config.backends.map(({ name, path, volumeBackendName, availabilityZone }) => [
      name,
      path,
      volumeBackendName,
      availabilityZone,
    ]),
    [
      ['ssd', '/mnt/ssd', 'fast', 'east'],
      ['hdd', '/d/volumes/hdd', 'hdd', 'west'],
    ],
  );
  t.deepEqual(config.backends[0]?.pools, [
    { name: 'pool', capacityGib: 100, reservedPercentage: 5, maxOverSubscriptionRatio: '20.0' },
  ]);
});

test('pools are names, or tables that override what their backend says', async (t) => {
  const { config } = await load(
    t,
    `
    [backends.file]
    capacity_gib = 10
    reserved_percentage = 1
    pools = ["plain", { name = "big", capacity_gib = 0.5, reserved_percentage = 2, max_over_subscription_ratio = "auto" }]
    `,
  );

  t.deepEqual(config.backends[0]?.pools, [
    { name: 'plain', capacityGib: 10, reservedPercentage: 1, maxOverSubscriptionRatio: '20.0' },
    { name: 'big', capacityGib: 0.5, reservedPercentage: 2, maxOverSubscriptionRatio: 'auto' },
  ]);
});

test('a backend takes its options from the environment too', async (t) => {
  const { config } = await load(t, 'enabled_backends = ["my-ssd"]\n[backends.my-ssd]\npath = "/a"\n', {
    CINDER_BACKENDS_MY_SSD_PATH: '/b',
    CINDER_BACKENDS_MY_SSD_POOLS: 'p1, p2',
    CINDER_BACKENDS_MY_SSD_CAPACITY_GIB: '3',
  });

  t.is(config.backends[0]?.path, '/b');
  t.deepEqual(
    config.backends[0]?.pools.map(({ name, capacityGib }) => [name, capacityGib]),
    [
      ['p1', 3],
      ['p2', 3],
    ],
  );
});

test('a backend has functions of its own, or those of the whole', async (t) => {
  const { config } = await load(
    t,
    `
    enabled_backends = ["a", "b"]
    filter_function = "volume.size < 10"
    [backends.b]
    filter_function = "volume.size < 5"
    goodness_function = "100"
    `,
  );

  t.deepEqual(
    config.backends.map(({ name, filterFunction, goodnessFunction }) => [name, filterFunction, goodnessFunction]),
    [
      ['a', 'volume.size < 10', undefined],
      ['b', 'volume.size < 5', '100'],
    ],
  );
});

test('functions that no scheduler asks are warned of', async (t) => {
  const functions = '[backends.file]\nfilter_function = "1"\ngoodness_function = "1"';
  t.deepEqual((await load(t, functions)).warnings, [
    'filter_function decides only where a scheduler asks it: scheduler_default_filters has no DriverFilter here.',
    'goodness_function decides only where a scheduler asks it: scheduler_default_weighers has no GoodnessWeigher here.',
  ]);
  const asked = 'scheduler_default_filters = ["DriverFilter"]\nscheduler_default_weighers = ["GoodnessWeigher"]\n';
  t.deepEqual((await load(t, asked + functions)).warnings, []);
});

test('mistakes in a backend are told together, each with its full name', async (t) => {
  const error = await t.throwsAsync<ConfigError>(
    load(
      t,
      `
      [backends.file]
      driver = "lvm"
      capacity_gib = 0
      pools = ["a", "a", "x#y", { name = "b", capacity = 3 }]
      `,
    ),
    { instanceOf: ConfigError },
  );

  t.deepEqual(error.problems.map((problem) => problem.replace(/ \(file .*\)$/, '')).toSorted(), [
    'backends.file.capacity_gib must be a number above 0, in GiB',
    "backends.file.driver must be 'file', the only driver there is",
    'backends.file.pools names a pool twice',
    'backends.file.pools[2] name must be 1 to 100 letters, digits, _ . or -',
    'backends.file.pools[3] has an unknown option capacity; did you mean capacity_gib?',
  ]);
});

test('a table of a backend that is not enabled is left alone', async (t) => {
  const { config } = await load(t, '[backends.later]\npath = "/later"\n');

  t.deepEqual(
    config.backends.map(({ name }) => name),
    ['file'],
  );
});
