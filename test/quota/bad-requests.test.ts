import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { Fault } from '#src/errors/fault.js';
import type { Amounts } from '#src/quota/resources.js';
import { engineOf, soon } from '../support/quota.js';
import { newProject, redisFor } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

interface Asked {
  readonly projectId?: string;
  readonly id?: string;
  readonly ttlMs?: number;
  readonly deltas?: Amounts;
}

const DAY_MS = 86_400_000;

/** What is asked, the error, and every field or resource that it must name. */
const BAD: readonly (readonly [what: string, asked: Asked, error: string, names: readonly string[]])[] = [
  [
    'resources nobody knows',
    { deltas: { volumes: 1, oranges: 1, cores: 2 } },
    'QuotaResourceUnknown',
    ['cores', 'oranges'],
  ],
  [
    'a resource that is a limit only',
    { deltas: { per_volume_gigabytes: 1 } },
    'QuotaResourceUnknown',
    ['per_volume_gigabytes'],
  ],
  [
    'types by their names',
    { deltas: { volumes_fast: 1, groups_fast: 1 } },
    'QuotaResourceUnknown',
    ['groups_fast', 'volumes_fast'],
  ],
  ['a poisonous resource', { deltas: { constructor: 1 } }, 'QuotaResourceUnknown', ['constructor']],
  ['nothing', { deltas: {} }, 'InvalidInput', ['deltas']],
  ['more resources than any request has', { deltas: ofTypes(301) }, 'InvalidInput', ['deltas']],
  ['a resource of a megabyte', { deltas: { ['x'.repeat(2 ** 20)]: 1 } }, 'QuotaResourceUnknown', ['x'.repeat(300)]],
  [
    'fractions and amounts beyond all limits',
    { deltas: { volumes: 0.5, gigabytes: 2 ** 31, backups: -(2 ** 31), groups: NaN } },
    'InvalidInput',
    ['deltas["volumes"]', 'deltas["gigabytes"]', 'deltas["backups"]', 'deltas["groups"]'],
  ],
  [
    'an id that is none, for a project that is none',
    { id: 'r1', projectId: 'a}b' },
    'InvalidInput',
    ['project_id', 'id'],
  ],
  ['an id in capitals', { id: randomUUID().toUpperCase() }, 'InvalidInput', ['id']],
  ['a project with spaces', { projectId: 'a b' }, 'InvalidInput', ['project_id']],
  ['a project of a megabyte', { projectId: 'p'.repeat(2 ** 20) }, 'InvalidInput', ['project_id']],
  ['no project', { projectId: '' }, 'InvalidInput', ['project_id']],
  ['a life of nothing', { ttlMs: 0 }, 'InvalidReservationExpiration', ['0']],
  ['a life that is over', { ttlMs: -100_000 }, 'InvalidReservationExpiration', ['-100000']],
  ['a life beyond a year', { ttlMs: 366 * DAY_MS }, 'InvalidReservationExpiration', [String(366 * DAY_MS)]],
  ['a life of no length', { ttlMs: NaN }, 'InvalidReservationExpiration', ['NaN']],
];

// one after the other: each compares all the keys there are
for (const [what, asked, error, names] of BAD) {
  test.serial(
    `a reservation of ${what} is refused, all that is wrong is named, and Redis hears nothing of it`,
    async (t) => {
      const { quota, keys } = await bench(t);
      const { projectId = newProject(), id = randomUUID(), deltas = { volumes: 1 }, ttlMs = 60_000 } = asked;
      const before = await keys();
      const fault = await t.throwsAsync(quota.reserve(projectId, deltas, { id, ttlMs, deadline: soon() }), {
        instanceOf: Fault,
        name: error,
      });
      t.deepEqual(named(fault), names);
      t.deepEqual(await keys(), before);
    },
  );
}

test.serial('what would name keys of nobody is refused by every operation', async (t) => {
  const { quota, keys } = await bench(t);
  const ref = { id: 'a b', projectId: '{a}{b}', deltas: { volumes: -1 }, until: 1 };
  const before = await keys();
  for (const verb of ['commit', 'rollback', 'hold', 'revoke'] as const) {
    const fault = await t.throwsAsync(quota[verb](ref, soon()), { instanceOf: Fault });
    t.deepEqual(named(fault), ['project_id', 'id'], verb);
  }
  const release = await t.throwsAsync(quota.release(ref, soon()), { instanceOf: Fault });
  t.deepEqual(named(release), ['project_id', 'id', 'deltas["volumes"]'], 'a release cannot take');
  await t.throwsAsync(quota.usage(ref.projectId, ['volumes'], soon()), { name: 'InvalidInput' });
  await t.throwsAsync(quota.list(ref.projectId, 1, soon()), { name: 'InvalidInput' });
  t.deepEqual(await keys(), before);
});

test('as many resources as a reservation may have are reserved and committed in one', async (t) => {
  const { quota } = await bench(t);
  const ref = { id: randomUUID(), projectId: newProject() };
  const deltas = ofTypes(300);
  t.is((await quota.reserve(ref.projectId, deltas, { id: ref.id, deadline: soon() })).answer, 'reserved');
  t.is(await quota.commit(ref, soon()), 'committed');
  const usage = await quota.usage(ref.projectId, Object.keys(deltas), soon());
  t.true([...usage.values()].every(({ inUse, reserved }) => inUse === 1 && reserved === 0));
});

test('an id that is known stays what it was', async (t) => {
  const { quota } = await bench(t);
  const projectId = newProject();
  const reserve = (id: string, volumes: number) =>
    quota.reserve(projectId, { volumes }, { id, deadline: soon() }).then(({ answer }) => answer);
  const [live, done] = [randomUUID(), randomUUID()];
  t.is(await reserve(live, 1), 'reserved');
  t.is(await reserve(live, 1), 'reserved', 'the same again is the same');
  await t.throwsAsync(reserve(live, 2), { name: 'QuotaReservationExists', message: /with other amounts/ });
  await reserve(done, 1);
  await quota.commit({ id: done, projectId }, soon());
  await t.throwsAsync(reserve(done, 1), { name: 'QuotaReservationExists', message: /is committed already/ });
  t.deepEqual((await quota.usage(projectId, ['volumes'], soon())).get('volumes'), { inUse: 1, reserved: 1 });
});

async function bench(t: ExecutionContext) {
  const { redis, quota } = engineOf(await redisFor(t), await sqliteStore(t));
  return { quota, keys: async () => (await redis.client.keys('*')).sort() };
}

/** The resources, fields or value that a fault names, in its facts. */
function named(fault: Fault | undefined): readonly string[] {
  const facts = fault?.facts as { unknown?: string[]; violations?: { field: string }[]; expire?: string };
  return facts.unknown ?? facts.violations?.map(({ field }) => field) ?? [facts.expire ?? ''];
}

function ofTypes(count: number): Amounts {
  return Object.fromEntries(Array.from({ length: count }, () => [`volumes_${randomUUID()}`, 1]));
}
