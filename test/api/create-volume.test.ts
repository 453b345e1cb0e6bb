import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { readCreateVolumeOnScheduler } from '#src/casts/cast-messages.js';
import { CommitUnknown } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import { Fault, isFault } from '#src/errors/fault.js';
import { InDoubt } from '#src/flow/in-doubt.js';
import { type Volume, VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { Gate } from '../support/gate.js';
import { soon } from '../support/quota.js';
import { connect, eventually, redisServerFor } from '../support/redis.js';
import { sqliteStore, storesFor } from '../support/sql.js';
import { around, Creations, NOTHING } from './creations.js';

const TASKS = ['ExtractVolumeRequest', 'QuotaReserve', 'EntryCreate', 'QuotaCommit', 'VolumeCast'] as const;
const KEY = { rpc: 'cinder.api.v3.Volumes/CreateVolume', key: 'once', requestHash: '0'.repeat(64) };

storesFor('a volume that is accepted is recorded, charged and on its way; nothing is undecided', async (t, store) => {
  const creations = await Creations.over(t, store);
  const id = await creations.run({ sizeGib: 3, idempotency: KEY, metadata: new Map([['a', 'b']]) });
  t.deepEqual(await creations.books(), {
    volumes: [{ id, status: 'creating' }],
    workers: [{ resource_id: id, state: 'ready', epoch: 1 }],
    settlements: [],
    keys: [{ key: 'once', resource_id: id }],
    usage: '1/0 3/0 1/0 3/0',
  });
  t.deepEqual(await creations.events(), ['volume.create.accepted']);
  const [cast] = creations.sent;
  t.like(cast, { resourceId: id, epoch: 1, target: null, message: { binary: 'cinder-scheduler' } });
  const { volume, requestSpec } = readCreateVolumeOnScheduler(cast?.message.payload ?? Buffer.alloc(0));
  t.like(volume, { id, sizeGib: 3, host: null, availabilityZone: 'nova' });
  t.like(requestSpec, { volumeId: id, availabilityZones: ['nova'], volumeProperties: { sizeGib: 3 } });
});

for (const task of TASKS.slice(0, -1)) {
  storesFor(`a caller who goes away after ${task} leaves nothing behind`, async (t, store) => {
    const creations = await Creations.over(t, store);
    await creations.run({ sizeGib: 2 });
    const [before, sent] = [await creations.books(), creations.sent.length];
    const caller = new AbortController();
    const gone = new Fault('Cancelled', { what: 'CreateVolume' });

    const error = await t.throwsAsync(
      creations.run(
        { sizeGib: 5, idempotency: KEY },
        {
          signal: caller.signal,
          listeners: [
            (_run, transition) => {
              const isDone = transition.kind === 'task' && transition.task === task && transition.state === 'SUCCESS';
              if (isDone) caller.abort(gone);
            },
          ],
        },
      ),
    );

    t.is(error, gone);
    t.deepEqual(await creations.books(), before);
    t.is(creations.sent.length, sent, 'nothing was sent');
  });
}

/** Where the records may fail a creation: tx1 is the first unit of the flow, tx2 the second. */
const BREAKS = { 'before the record is written': 1, 'before the work is made ready': 2 } as const;

for (const [where, nth] of Object.entries(BREAKS)) {
  storesFor(`a mistake ${where} leaves nothing behind`, async (t, store) => {
    const mistake = new TypeError('a mistake');
    const creations = await Creations.over(t, store, {
      between: around('before', nth, () => {
        throw mistake;
      }),
    });
    t.is(await t.throwsAsync(creations.run({ idempotency: KEY })), mistake);
    t.deepEqual(await creations.books(), NOTHING);
    t.deepEqual(await creations.events(), nth === 1 ? [] : ['volume.create.accepted', 'volume.create.undone']);
  });
}

storesFor('a limit that is reached refuses the volume and nothing else', async (t, store) => {
  const creations = await Creations.over(t, store, { limits: { volumes: 1 } });
  await creations.run();
  const before = await creations.books();
  await t.throwsAsync(creations.run({ idempotency: KEY }), { name: 'VolumeLimitExceeded' });
  t.deepEqual(await creations.books(), before);
});

for (const undo of ['the charge', 'the record', 'the reservation'] as const) {
  const failing = { 'the charge': 3, 'the record': 4, 'the reservation': 5 }[undo];
  test(`when ${undo} cannot be undone, the other undos are done and recovery does the rest`, async (t) => {
    const store = await sqliteStore(t);
    const away = (): never => {
      throw new Fault('DatabaseUnavailable', { reason: 'away' });
    };
    const mistake = new TypeError('a mistake');
    const creations = await Creations.over(t, store, {
      between: (real) =>
        around('before', 2, () => {
          throw mistake;
        })(around('before', failing - 1, away)(real)),
    });
    const transitions: string[] = [];
    await t.throwsAsync(
      creations.run(
        { idempotency: KEY },
        { listeners: [(_run, transition) => void transitions.push(transition.state)] },
      ),
      { is: mistake },
    );
    await creations.engine.recovery.sweep();
    await creations.engine.recovery.sweep();
    t.deepEqual(await creations.books(), NOTHING);
    t.true(transitions.includes('REVERTED'));
  });
}

storesFor('a reservation that has expired before its charge is decided undoes the request', async (t, store) => {
  const expired = async (): Promise<boolean> => (await creations.books()).usage === NOTHING.usage;
  const creations: Creations = await Creations.over(t, store, {
    reservationTtlMs: 1,
    between: around('after', 1, () => eventually('the reservation has expired', expired)),
  });
  await t.throwsAsync(creations.run({ idempotency: KEY }), { name: 'QuotaReservationExpired', code: 'ABORTED' });
  t.deepEqual(await creations.books(), NOTHING);
});

/** A rebuild disowns every open charge; the flow finds out at its next step. */
const REBUILDS = {
  'before its charge is decided': ['after', 1],
  'before its work is made ready': ['before', 2],
} as const;

for (const [where, [when, nth]] of Object.entries(REBUILDS)) {
  storesFor(`a request that a rebuild disowns ${where} is undone, and the caller may try again`, async (t, store) => {
    const creations: Creations = await Creations.over(t, store, {
      between: around(when, nth, () => creations.engine.rebuild.run(creations.context.projectId, 'unknown', soon())),
    });
    const error = await t.throwsAsync(creations.run({ sizeGib: 4, idempotency: KEY }), {
      name: 'RequestSuperseded',
      code: 'ABORTED',
    });
    t.true(isFault(error) && (error.retryAfterMs ?? 0) > 0);
    t.deepEqual(await creations.books(), NOTHING);
    t.deepEqual(creations.sent, []);

    const id = await creations.run({ sizeGib: 4, idempotency: KEY });
    t.like(await creations.books(), { volumes: [{ id }], keys: [{ resource_id: id }], usage: '1/0 4/0 1/0 4/0' });
  });
}

storesFor('a request that recovery has finished first is accepted all the same', async (t, store) => {
  const creations: Creations = await Creations.over(t, store, {
    between: around('before', 2, () => creations.engine.recovery.sweep()),
  });
  const id = await creations.run();
  t.deepEqual((await creations.books()).workers, [{ resource_id: id, state: 'ready', epoch: 1 }]);
  t.is((await creations.books()).usage, '1/0 1/0 1/0 1/0');
});

for (const [how, survives] of [
  ['answers late', true],
  ['has lost everything', false],
] as const) {
  test(`when Redis ${how} at the decision, nobody knows: nothing is undone, and recovery decides`, async (t) => {
    const store = await sqliteStore(t);
    const redis = await connect(t, (await redisServerFor(t)).socket);
    const creations: Creations = await Creations.over(t, store, {
      redis,
      between: around('after', 1, () => redis.client.call('CLIENT', 'PAUSE', '1500', 'WRITE')),
    });

    await creations.books(); // the first look makes the project's usage, which may take longer than the deadline to come
    const error = await t.throwsAsync(creations.ask({ idempotencyKey: 'once' }, 800), {
      name: 'OutcomeUnknown',
      code: 'UNAVAILABLE',
    });

    t.true(isFault(error) && (error.retryAfterMs ?? 0) > 0);
    t.deepEqual(await creations.events(), ['volume.create.accepted'], 'nothing was undone');
    await t.throwsAsync(creations.ask({ idempotencyKey: 'once' }), { name: 'IdempotencyKeyInProgress' });

    await redis.client.call('CLIENT', 'UNPAUSE');
    if (!survives) await redis.client.flushall();
    await eventually('it is decided', async () => {
      await creations.engine.recovery.sweep();
      return (await creations.books()).settlements.length === 0;
    });
    const { volumes, workers, keys, usage } = await creations.books();
    t.deepEqual([volumes.length, workers.length, keys.length], survives ? [1, 1, 1] : [0, 0, 0]);
    t.is(usage, survives ? '1/0 1/0 1/0 1/0' : NOTHING.usage);
    const again = await creations.ask({ idempotencyKey: 'once' });
    t.is(again.id === volumes[0]?.id, survives);
    t.is((await creations.books()).usage, '1/0 1/0 1/0 1/0');
  });
}

/** The answer to a COMMIT is lost; the transaction may have been committed or not. */
for (const committed of [true, false]) {
  test(`a commit of the record whose answer is lost, and that ${committed ? 'was' : 'was not'} done, charges exactly`, async (t) => {
    const store = await sqliteStore(t);
    const creations = await Creations.over(t, store, {
      between: around(committed ? 'after' : 'before', 1, () => {
        throw new CommitUnknown('the connection broke');
      }),
    });
    const outcome = await creations.run({ idempotency: KEY }).catch((error: unknown) => error);
    if (committed) t.is((await findVolume(store, { id: String(outcome) }))?.status, 'creating');
    else t.true(outcome instanceof InDoubt);
    t.is((await creations.books()).usage, committed ? '1/0 1/0 1/0 1/0' : '0/1 0/1 0/1 0/1', 'a reservation expires');
  });
}

test('a commit of the ready work whose answer is lost is in doubt, and the work is not lost', async (t) => {
  const store = await sqliteStore(t);
  const creations = await Creations.over(t, store, {
    between: around('after', 2, () => {
      throw new CommitUnknown('the connection broke');
    }),
  });
  await t.throwsAsync(creations.run(), { instanceOf: InDoubt });
  t.like(await creations.books(), { workers: [{ state: 'ready' }], settlements: [], usage: '1/0 1/0 1/0 1/0' });
});

storesFor('of two requests with one key at once, one makes the volume and both get it', async (t, store) => {
  const creations = await Creations.over(t, store);
  const ask = async (): Promise<string> => {
    for (;;) {
      try {
        return (await creations.ask({ size: 7, idempotencyKey: 'once' })).id;
      } catch (error) {
        if (!Fault.is(error, 'IdempotencyKeyInProgress')) throw error;
        t.true((error.retryAfterMs ?? 0) > 0);
        await delay(5);
      }
    }
  };
  const ids = await Promise.all([ask(), ask(), ask(), ask()]);
  t.is(new Set(ids).size, 1);
  t.like(await creations.books(), { volumes: [{ id: ids[0] }], settlements: [], usage: '1/0 7/0 1/0 7/0' });
  t.is((await creations.books()).workers.length, 1);
  t.is(creations.sent.length, 1);
});

storesFor('a request is not refused the room that its twin at another process holds', async (t, store) => {
  const gate = new Gate();
  const creations = await Creations.over(t, store, {
    limits: { volumes: 1 },
    between: around('before', 1, () => gate.enter()),
  });
  const first = creations.ask({ idempotencyKey: 'once' });
  await gate.inside(1); // its room is reserved, and nothing recorded
  await t.throwsAsync(creations.ask({ idempotencyKey: 'another' }), { name: 'VolumeLimitExceeded' });
  const twin = creations.ask({ idempotencyKey: 'once' }).catch((error: unknown) => error);
  await delay(100);
  gate.open();
  const { id } = await first;
  const answer = await twin;
  t.true(Fault.is(answer, 'IdempotencyKeyInProgress') || (answer as Volume).id === id, String(answer));
  t.is((await creations.ask({ idempotencyKey: 'once' })).id, id);
  t.like(await creations.books(), { volumes: [{ id }], settlements: [], usage: '1/0 1/0 1/0 1/0' });
});

test('a repeated request gets its volume as it is now; other parameters are refused; a deleted one is gone', async (t) => {
  const creations = await Creations.over(t, await sqliteStore(t));
  const metadata = new Map([
    ['x', '1'],
    ['y', '2'],
  ]);
  const first = await creations.ask({ idempotencyKey: 'once', metadata });
  t.is(first.status, VolumeStatus.CREATING);
  const reversed = new Map([...metadata].reverse());
  t.deepEqual(await creations.ask({ idempotencyKey: 'once', metadata: reversed }), first, 'maps have no order');
  await t.throwsAsync(creations.ask({ idempotencyKey: 'once', size: 2 }), { name: 'IdempotencyKeyReused' });
  t.not((await creations.ask({ idempotencyKey: 'twice', metadata })).id, first.id);
});

test('a request that was refused leaves its key free', async (t) => {
  const creations = await Creations.over(t, await sqliteStore(t), { limits: { gigabytes: 5 } });
  await t.throwsAsync(creations.ask({ size: 6, idempotencyKey: 'once' }), { name: 'VolumeSizeExceedsAvailableQuota' });
  t.is((await creations.ask({ size: 5, idempotencyKey: 'once' })).size, 5);
});
