import test, { type ExecutionContext } from 'ava';
import type { Store } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import { isFault } from '#src/errors/fault.js';
import { Snapshot } from '#src/gen/cinder/objects/v1/snapshot.js';
import {
  CreateGroupRequest,
  CreateSnapshotRequest,
  ManageExistingSnapshotRequest,
  ValidateHostCapacityRequest,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { volumeToWire } from '#src/rpc/objects-on-the-wire.js';
import type { Claims } from '#src/scheduler/claims.js';
import { CONTEXT, eventsOf, readyRow, rowOf } from '../casts/rows.js';
import { claimsOver } from '../support/claims.js';
import { connect, eventually, redisServerFor } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';
import { asked, installed, type Standing, standing } from './deciding.js';
import { type Encoded, extend, manage, migrate, retype } from './works.js';

/** By the only report there is, each pool has 10 GiB free. */
const BACKENDS = { 'h1@b': { tier: 'silver' }, 'h2@b': { tier: 'gold' } };
const FREE_GIB = 10;

type Answer = 'agreed' | 'refused';

/** Something that grows. */
interface Grower {
  /** Asks one scheduler for 5 GiB or less, and waits for its answer; what no service does is over by then. */
  readonly ask: (world: World) => Promise<Answer>;
  /** The pool that has to give the room. */
  readonly pool: string;
  /** GiB that are still claimed when it is over. */
  readonly keepsGib: number;
}

interface World {
  readonly store: Store;
  readonly client: SchedulerClient;
  readonly send: (row: Awaited<ReturnType<typeof asked>>) => void;
}

/** Durable work on a volume of 1 GiB that is on h1@b#p. */
const work =
  (method: string, as: Standing, payload: Encoded) =>
  async ({ store, send }: World): Promise<Answer> => {
    const volume = await standing(store, as);
    send(await asked(store, volume, method, payload(volume)));
    await eventually('the work is over', async () => (await rowOf(store, volume.id)) === undefined);
    const wasScheduled = (await eventsOf(store, volume.id)).some((type) => type.endsWith('.scheduled'));
    return wasScheduled ? 'agreed' : 'refused';
  };

const call =
  (make: (client: SchedulerClient, volume: ReturnType<typeof volumeToWire>) => Promise<unknown>) =>
  async ({ store, client }: World): Promise<Answer> => {
    const volume = await standing(store, { status: 'available' });
    try {
      const answer = await make(client, volumeToWire({ ...volume, sizeGib: 5 }));
      return (answer as { valid?: boolean }).valid === false ? 'refused' : 'agreed';
    } catch (error) {
      if (isFault(error) && error.name === 'NoValidBackend') return 'refused';
      if (isFault(error) && error.name === 'NotBuilt') return 'agreed';
      throw error;
    }
  };

const snapshot = Snapshot.fromPartial({ id: 'snapshot-1' });
const EXTENDING: Standing = { status: 'extending', previousStatus: 'available' };
const RETYPING: Standing = { status: 'retyping', previousStatus: 'available' };
const MIGRATING: Standing = { status: 'available', migrationStatus: 'starting' };

const GROWERS: Readonly<Record<string, Grower>> = {
  'a volume of a group, whose backend is given': {
    async ask({ store, send }) {
      const row = await readyRow(store, { resourceBackend: 'h1@b' });
      send(row);
      await eventually('the work is over', async () => (await rowOf(store, row.resourceId)) === undefined);
      return (await findVolume(store, { id: row.resourceId }))?.host ? 'agreed' : 'refused';
    },
    pool: 'h1@b#p',
    keepsGib: 0,
  },
  'a volume that grows': { ask: work('ExtendVolume', EXTENDING, extend(6)), pool: 'h1@b#p', keepsGib: 0 },
  'a volume whose new type makes it move': {
    ask: work('Retype', RETYPING, retype('on-demand')),
    pool: 'h2@b#p',
    keepsGib: 0,
  },
  'a volume that is migrated': { ask: work('MigrateVolume', MIGRATING, migrate('h2@b')), pool: 'h2@b#p', keepsGib: 0 },
  'a snapshot': {
    ask: call((client, volume) => {
      const request = CreateSnapshotRequest.fromPartial({ volume, snapshot, backend: 'h1@b#p' });
      return client.call('CreateSnapshot', CONTEXT, request);
    }),
    pool: 'h1@b#p',
    keepsGib: 0,
  },
  'a snapshot that is taken under management': {
    ask: call((client, volume) => {
      const request = ManageExistingSnapshotRequest.fromPartial({ volume, snapshot });
      return client.call('ManageExistingSnapshot', CONTEXT, request);
    }),
    pool: 'h1@b#p',
    keepsGib: 0,
  },
  'a group that asks for the room of its volumes': {
    ask: call((client) => {
      const requestSpec = { groupId: 'group-1', volumeProperties: { size: 5 } };
      const request = ValidateHostCapacityRequest.fromPartial({ backend: 'h1@b', requestSpec });
      return client.call('ValidateHostCapacity', CONTEXT, request);
    }),
    pool: 'h1@b#p',
    keepsGib: 5,
  },
};

for (const [what, { ask, pool, keepsGib }] of Object.entries(GROWERS)) {
  test(`${what} gets no room that another scheduler has promised, and gets it when it is free`, async (t) => {
    const { world, claims, free } = await installedWith(t);
    const other = { volumeId: 'of another scheduler', epoch: 1 };
    const seen = {
      backendId: pool,
      capabilities: { total_capacity_gb: 100, free_capacity_gb: FREE_GIB },
      updatedAt: 1,
    };
    t.like(await claims.claim(other, seen, FREE_GIB, false), { answer: 'won' });

    t.is(await ask(world), 'refused');
    t.deepEqual(await claims.outstanding(['h1@b', 'h2@b']), { count: 1, gib: FREE_GIB });
    t.is(free(pool), 0, 'the scheduler has learned of it');

    await claims.release(other, pool);
    const again = await installedWith(t, claims);
    t.is(await ask(again.world), 'agreed');
    await nothingLeft(claims, keepsGib);
  });
}

test('room is claimed before the work is handed on, and given back when nobody does it', async (t) => {
  const story: string[] = [];
  const observer = {
    claimed: (answer: string) => story.push(answer),
    ended: (how: string, count: number) => story.push(`${count} ${how}`),
    failed: (what: string) => story.push(`no answer to ${what}`),
  };
  const claims = claimsOver(await connect(t, (await redisServerFor(t)).socket), { observer });
  const { world, free } = await installedWith(t, claims);
  for (const grower of ['a volume that grows', 'a volume that is migrated']) {
    t.is(await GROWERS[grower]?.ask(world), 'agreed');
    await nothingLeft(claims);
  }
  t.deepEqual(story, ['won', '1 released', 'won', '1 released']);
  t.deepEqual([free('h1@b#p'), free('h2@b#p')], [5, 9], 'this scheduler counts both until the next report');
});

test('what takes no new room is agreed to, however full the pools', async (t) => {
  const { world, claims } = await installedWith(t);
  for (const backendId of ['h1@b#p', 'h2@b#p']) {
    const seen = { backendId, capabilities: { total_capacity_gb: 100, free_capacity_gb: FREE_GIB }, updatedAt: 1 };
    await claims.claim({ volumeId: backendId, epoch: 1 }, seen, FREE_GIB, false);
  }
  t.is(await work('ManageExisting', { status: 'managing' }, manage)(world), 'agreed');
  const where = { id: 'silver', name: 'silver', isPublic: true, extraSpecs: new Map([['tier', 'silver']]) };
  t.is(await work('Retype', RETYPING, retype('never', where))(world), 'agreed');
  const group = CreateGroupRequest.fromPartial({
    group: { id: 'group-1' },
    requestSpecList: [{ volumeProperties: { size: 0 } }],
  });
  t.is(await call((client) => client.call('CreateGroup', CONTEXT, group))(world), 'agreed');
  t.deepEqual(await claims.outstanding(['h1@b', 'h2@b']), { count: 2, gib: 2 * FREE_GIB });
});

/** What is not done claims nothing. */
async function nothingLeft(claims: Claims, butGib = 0): Promise<void> {
  await eventually('the claims to end', async () => (await claims.outstanding(['h1@b', 'h2@b']))?.gib === butGib);
}

/** A scheduler over both backends, and the Redis that it shares with others. */
async function installedWith(t: ExecutionContext, shared?: Claims) {
  const store = await sqliteStore(t);
  const claims = shared ?? claimsOver(await connect(t, (await redisServerFor(t)).socket));
  const { client, sender, free } = await installed(t, store, BACKENDS, { claims });
  const world: World = { store, client, send: (row) => sender.send(row) };
  return { world, claims, free };
}
