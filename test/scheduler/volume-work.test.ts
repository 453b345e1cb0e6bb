import test from 'ava';
import type { Store } from '#src/db/store.js';
import { ExtendVolumeRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import * as toVolume from '#src/gen/cinder/volume/v3/volume_manager.js';
import type { Volume } from '#src/objects/volume.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { everything, rowOf } from '../casts/rows.js';
import { eventually } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { asked, holdOf, installed, type Standing, standing } from './deciding.js';
import { type Encoded, extend, manage, migrate, migrateToHost, retype } from './works.js';

const ROOMY = { 'h1@b': { tier: 'gold' }, 'h2@b': { tier: 'silver' } };
const FULL = { 'h1@b': { free_capacity_gb: 0 }, 'h2@b': { free_capacity_gb: 0 } };

interface Case {
  readonly method: string;
  readonly payload: Encoded;
  readonly as: Standing;
  readonly backends?: Readonly<Record<string, ValueMap>>;
  /** What the volume is in the end, when it is refused and when nobody does the work. */
  readonly ends: object;
  readonly action: string;
  readonly work: string;
  /** Room that is left on the pools while the work waits. */
  readonly leaves?: Readonly<Record<string, number>>;
}

const EXTENDING: Pick<Case, 'method' | 'as' | 'ends' | 'action' | 'work'> = {
  ...{ method: 'ExtendVolume', work: 'extend', action: '007' },
  as: { status: 'extending', previousStatus: 'in-use', attachStatus: 'attached' },
  ends: { status: 'in-use', previousStatus: null, statusReason: null },
};
const RETYPING: typeof EXTENDING = {
  ...{ method: 'Retype', work: 'retype', action: '101' },
  as: { status: 'retyping', previousStatus: 'available' },
  ends: { status: 'available', statusReason: null },
};
const MIGRATING: typeof EXTENDING = {
  ...{ method: 'MigrateVolume', work: 'migrate', action: '102' },
  as: { status: 'maintenance', previousStatus: 'available', migrationStatus: 'starting' },
  ends: { status: 'available', migrationStatus: 'error' },
};
const MANAGING: typeof EXTENDING = {
  ...{ method: 'ManageExisting', work: 'manage', action: '103' },
  as: { status: 'managing' },
  ends: { status: 'error_managing' },
};

/** Work that a scheduler agrees to, and that no volume service does yet. */
const AGREED: Readonly<Record<string, Case>> = {
  'to extend': { ...EXTENDING, payload: extend(6), leaves: { 'h1@b#p': 5 } },
  'to extend one whose former status nobody noted': {
    ...{ ...EXTENDING, payload: extend(2), leaves: { 'h1@b#p': 9 } },
    as: { status: 'extending' },
    ends: { status: 'available' },
  },
  'to retype where it is': { ...RETYPING, payload: retype('never'), leaves: { 'h1@b#p': 10 } },
  'to retype by moving': {
    ...{ ...RETYPING, payload: retype('on-demand'), leaves: { 'h1@b#p': 10, 'h2@b#p': 9 } },
    backends: { 'h1@b': { tier: 'silver' }, 'h2@b': { tier: 'gold' } },
  },
  'to migrate': { ...MIGRATING, payload: migrate('h2@b'), leaves: { 'h2@b#p': 10 } },
  'to migrate in older words': { ...MIGRATING, method: 'MigrateVolumeToHost', payload: migrateToHost('h2@b#p') },
  'to migrate one in use': {
    ...{ ...MIGRATING, payload: migrate('h2@b#p') },
    as: { status: 'in-use', migrationStatus: 'starting', attachStatus: 'attached' },
    ends: { status: 'in-use', migrationStatus: 'error' },
  },
  'to manage one, however full the pool': { ...MANAGING, payload: manage, backends: FULL },
};

for (const [what, { method, payload, as, backends = ROOMY, ends, action, work, leaves = {} }] of Object.entries(
  AGREED,
)) {
  storesFor(`a scheduler agrees ${what}; the volume is as before while no service does it`, async (t, store) => {
    const installation = await installed(t, store, backends);
    const volume = await standing(store, as);
    installation.sender.send(await asked(store, volume, method, payload(volume)));
    await over(store, volume);

    t.is(installation.handedOn[0]?.target, 'h1@b');
    const { volume: after, messages, events } = await everything(store, volume.id);
    t.like(after, ends);
    t.is(messages.length, 1);
    t.regex(messages[0] ?? '', new RegExp(`^${action} 001 .*is not built yet`));
    t.deepEqual(events, [`volume.${work}.scheduled`, `volume.${work}.error`]);
    t.is(await holdOf(store, volume.id), 'undo');
    for (const [pool, gib] of Object.entries(leaves)) t.is(installation.free(pool), gib, pool);
  });
}

/** Work for which there is no pool, and what the operator reads. */
const REFUSED: Readonly<Record<string, Case & { readonly why: RegExp }>> = {
  'extend without room': {
    ...EXTENDING,
    payload: extend(300),
    why: /CapacityFilter rejected 1 of 2 .*h1@b#p/,
    backends: { 'h1@b': {}, 'h2@b': { free_capacity_gb: 1_000, total_capacity_gb: 1_000 } },
  },
  'extend what its backend would not take any more': {
    ...{ ...EXTENDING, payload: extend(2, { tier: 'silver' }) },
    why: /1 that would do, none is on h1@b#p/,
  },
  'retype where no pool has the type': {
    ...RETYPING,
    payload: retype('on-demand'),
    backends: FULL,
    why: /CapabilitiesFilter/,
  },
  'retype what may not move': {
    ...{ ...RETYPING, payload: retype('never'), why: /none is on h1@b#p/ },
    backends: { 'h1@b': {}, 'h2@b': { tier: 'gold' } },
  },
  'migrate to where there is no room': {
    ...MIGRATING,
    payload: migrate('h2@b'),
    backends: FULL,
    why: /CapacityFilter/,
  },
  'migrate to a backend that nobody knows': { ...MIGRATING, payload: migrate('h3@b'), why: /none is on h3@b/ },
  'manage at a backend that nobody knows': {
    ...MANAGING,
    as: { status: 'managing', host: 'h3@b#p' },
    payload: manage,
    why: /none is on h3@b#p/,
  },
};

/** What Cinder calls the methods when they fail. */
const NOTIFIED: Readonly<Record<string, string>> = {
  ...{ ExtendVolume: 'extend_volume', Retype: 'retype', MigrateVolume: 'migrate_volume_to_host' },
  ManageExisting: 'manage_existing',
};

for (const [what, { method, payload, as, backends = ROOMY, ends, action, work, why }] of Object.entries(REFUSED)) {
  storesFor(`to ${what}: refused, the volume and its quota are as before, its owner is told`, async (t, store) => {
    const installation = await installed(t, store, backends);
    const volume = await standing(store, as);
    installation.sender.send(await asked(store, volume, method, payload(volume)));
    await over(store, volume);

    t.regex(installation.refusals.join(), why);
    const { volume: after, messages, events } = await everything(store, volume.id);
    t.like(after, ends);
    t.regex(messages.join(), new RegExp(`^${action} 003 .*No valid backend was found`));
    t.notRegex(messages.join(), /h\d@b/, 'owners are told no names');
    t.deepEqual(events, [`volume.${work}.error`, `scheduler.${NOTIFIED[method] ?? ''}`]);
    t.is(await holdOf(store, volume.id), 'undo');
    t.deepEqual(installation.handedOn, []);
  });
}

const withoutVolume: Encoded = () =>
  ExtendVolumeRequest.encode(ExtendVolumeRequest.fromPartial({ newSize: 9 })).finish();

/** Requests that make no sense. */
const SENSELESS: Readonly<Record<string, Case & { readonly says: RegExp }>> = {
  'to extend to less': { ...EXTENDING, payload: extend(1), says: /new_size: must be greater than 1/ },
  'to extend to less than nothing': { ...EXTENDING, payload: extend(-2_147_483_648), says: /new_size/ },
  'to extend nothing': { ...EXTENDING, payload: withoutVolume, says: /The operators find/ },
  'to extend, in bytes of nothing': {
    ...EXTENDING,
    payload: () => Buffer.from([0xff, 0xff]),
    says: /The operators find/,
  },
  'to retype without a type': { ...RETYPING, payload: retype('never', null), says: /volume_type: is required/ },
  'to migrate to nowhere': { ...MIGRATING, payload: migrate(''), says: /backend: is required/ },
  'to extend what is nowhere': {
    ...{ ...EXTENDING, payload: (volume) => extend(3)({ ...volume, host: null }) },
    says: /The operators find/,
  },
};

for (const [what, { method, payload, as, ends, action, says }] of Object.entries(SENSELESS)) {
  test(`a request ${what} ends alone, and the next one is served`, async (t) => {
    const store = await sqliteStore(t);
    const installation = await installed(t, store, ROOMY);
    const volume = await standing(store, as);
    const neighbour = await standing(store, EXTENDING.as);
    installation.sender.send(await asked(store, volume, method, payload(volume)));
    installation.sender.send(await asked(store, neighbour, 'ExtendVolume', extend(3)(neighbour)));
    await Promise.all([over(store, volume), over(store, neighbour)]);

    const { volume: after, messages } = await everything(store, volume.id);
    t.like(after, ends);
    t.regex(messages.join(), new RegExp(`^${action} `));
    t.regex(messages.join(), says);
    t.is(installation.free('h1@b#p'), 8, 'the neighbour has its room');
    t.is(installation.handedOn.length, 1);
  });
}

test('names that are special in JavaScript are names like others', async (t) => {
  const store = await sqliteStore(t);
  const installation = await installed(t, store, ROOMY);
  const volume = await standing(store, EXTENDING.as);
  const payload = extend(3, JSON.parse('{"__proto__": "silver"}') as Record<string, string>)(volume);
  installation.sender.send(await asked(store, volume, 'ExtendVolume', payload));
  await over(store, volume);
  t.like((await everything(store, volume.id)).volume, EXTENDING.ends);
  t.deepEqual(installation.handedOn, [], 'no pool has such a capability');
  t.regex(installation.refusals.join(), /CapabilitiesFilter rejected 2 of 2/);
});

test('a backend is told what was asked, and which pool was chosen', async (t) => {
  const store = await sqliteStore(t);
  const sent = async (work: Pick<Case, 'method' | 'payload' | 'as'>): Promise<Buffer> => {
    const installation = await installed(t, store, ROOMY);
    const volume = await standing(store, work.as);
    installation.sender.send(await asked(store, volume, work.method, work.payload(volume)));
    await over(store, volume);
    return installation.handedOn[0]?.message.payload ?? Buffer.alloc(0);
  };
  t.like(toVolume.ExtendVolumeRequest.decode(await sent({ ...EXTENDING, payload: extend(6) })), { newSize: 6 });
  const migration = toVolume.MigrateVolumeRequest.decode(await sent({ ...MIGRATING, payload: migrate('h2@b') }));
  t.like(migration, { forceHostCopy: true, host: { host: 'h2@b#p', clusterName: undefined } });
  t.is(migration.host?.capabilities?.['tier'], 'silver');
  const retyping = toVolume.RetypeRequest.decode(await sent({ ...RETYPING, payload: retype('') }));
  t.like(retyping, { newTypeId: 'type-gold', migrationPolicy: 'never', host: { host: 'h1@b#p' } });
  t.is(retyping.reservations.length, 1);
  const managing = toVolume.ManageExistingRequest.decode(
    await sent({ ...MANAGING, as: { status: 'managing', host: 'h1@b' }, payload: manage }),
  );
  t.is(managing.volume?.host, 'h1@b#p', 'a backend without a pool gets one');
  t.deepEqual([...managing.ref], [['source-name', 'lun 7']]);
});

async function over(store: Store, { id }: Volume): Promise<void> {
  await eventually('the work is over', async () => (await rowOf(store, id)) === undefined);
}
