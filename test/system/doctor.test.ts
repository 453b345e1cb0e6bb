import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { sql } from 'kysely';
import { insertHold, markHeld } from '#src/db/quota-settlements.js';
import { statement } from '#src/db/statement.js';
import type { Step, Store } from '#src/db/store.js';
import { openStore } from '#src/db/open-store.js';
import { placeVolume } from '#src/db/volume-transitions.js';
import type { NewWorker } from '#src/db/worker-row.js';
import { insertStagedWorker, putReadyWorker } from '#src/db/workers.js';
import { KINDS } from '#src/doctor/kinds.js';
import { GIB } from '#src/drivers/driver.js';
import { keysOf } from '#src/quota/scripts.js';
import { claimKeysOf } from '#src/scheduler/claim-scripts.js';
import { CONTEXT } from '../casts/rows.js';
import { breakRow } from '../support/broken-rows.js';
import { claimsOver, poolAs } from '../support/claims.js';
import { cli } from '../support/cli.js';
import { type Client, type Installation, installationFor, until } from '../support/installation.js';
import { connect, redisUrlFor } from '../support/redis.js';
import { postgresTest, postgresUrl } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

/** What a process of this test thinks is dead, left or due, is so within seconds. */
const IMPATIENT = {
  ...{ CINDER_REPORT_INTERVAL: '1', CINDER_SERVICE_DOWN_TIME: '4', CINDER_API_FLOW_DEADLINE: '4' },
  ...{ CINDER_RESERVATION_EXPIRE: '20', CINDER_BACKEND_STATS_POLLING_INTERVAL: '3' },
  CINDER_QUOTA_RECONCILE_INTERVAL: '0', // it would mend what is to be found
};

test('a system that is at work is found to be right, again and again, and is left as it is', async (t) => {
  const installation = await installationFor(t, {
    ...{ ...IMPATIENT, CINDER_QUOTA_VOLUMES: '200' },
    ...{ CINDER_ORPHAN_SWEEP_INTERVAL: '1', CINDER_ORPHAN_GRACE_TIME: '1' },
  });
  const clients = ['a', 'b', 'c'].map((project) => installation.client(project, 'admin'));
  const stopping = new AbortController();
  const load = Promise.all(clients.map((client) => keepBusy(client, stopping.signal)));
  try {
    for (let look = 1; look <= 6; look += 1) {
      const { code, found, stderr } = await doctor(installation, ...(look % 2 === 0 ? ['--repair'] : []));
      t.deepEqual(found, [], `look ${look}`);
      t.is(code, 0);
      t.regex(stderr, /Looked at: work \d+, volumes \d+, settlements \d+, storage \d+, claims \d+, quota \d+\./);
    }
  } finally {
    stopping.abort();
  }
  const counts = await load;
  t.true(Math.min(...counts) > 3, `volumes made meanwhile: ${counts.join()}`);

  const stray = installation.volumeFile(randomUUID());
  const quarantine = join(dirname(stray), '.quarantine');
  t.false(existsSync(quarantine), 'nothing was put away meanwhile');
  await writeFile(stray, 'somebody may want this');
  await until(async () => (existsSync(stray) ? undefined : true), 'the file to be put away');
  t.deepEqual(await readdir(quarantine), [`${basename(stray)}.1`]);
  t.deepEqual((await doctor(installation)).found, []);
});

test('what nobody knows cannot be looked at, and who is no administrator sees nothing', async (t) => {
  const installation = await installationFor(t);
  const bad = await doctor(installation, '--only', 'everything');
  t.is(bad.code, 1);
  t.regex(bad.stderr, /--only\[0\]: must be a subject/);
  const member = await cli(['doctor'], { environment: { CINDER_API: installation.address, CINDER_PROJECT_ID: 'p' } });
  t.is(member.code, 1);
  t.regex(member.stderr, /POLICY_NOT_AUTHORIZED/);
  const some = await doctor(installation, '--only', 'work', '--only', 'storage');
  t.regex(some.stderr, /^Looked at: work 0, storage 0\. Found 0, mended 0, left 0\.$/m);
});

test('a folder in the way of a repair is left, with the reason, and the rest is mended', async (t) => {
  const installation = await installationFor(t, IMPATIENT);
  const [folder, stray] = [randomUUID(), randomUUID()].toSorted();
  await mkdir(installation.volumeFile(folder ?? ''));
  await writeFile(installation.volumeFile(stray ?? ''), 'somebody may want this');

  const repair = await doctor(installation, '--repair');

  t.is(repair.code, 1);
  t.deepEqual(repair.found.toSorted(), [
    ['file_without_record', folder],
    ['file_without_record', stray],
  ]);
  t.deepEqual(repair.left, [['file_without_record', folder]]);
  t.deepEqual(repair.remedies, [
    "nothing was done: Bad or unexpected response from the storage backend: pool 'pool': the file system answered EPERM.",
  ]);
  t.regex(repair.stderr, /quota 0\. Found 2, mended 1, left 1\./);
});

postgresTest('whatever can be wrong is found by its name, and what is safe to mend is mended', async (t) => {
  const [databaseUrl, redisUrl] = await Promise.all([postgresUrl(t), redisUrlFor(t)]);
  const installation = await installationFor(t, {
    ...{ ...IMPATIENT, CINDER_DATABASE_URL: databaseUrl, CINDER_REDIS_URL: redisUrl },
    CINDER_BACKEND_STATS_POLLING_INTERVAL: '60', // a scheduler would end the claim that is to be found
    CINDER_SERVICE_DOWN_TIME: '30', // half of it is the longest lease of a settlement
  });
  const store = await openStore(databaseUrl);
  t.teardown(() => store.close());
  const redis = await connect(t, redisUrl);
  const client = installation.client();
  const [lost = '', small = '', deleting = '', working = '', nowhere = '', poolless = '', odd = ''] = await available(
    client,
    7,
  );
  t.deepEqual((await doctor(installation)).found, []);

  // records and files
  await rm(installation.volumeFile(lost));
  await truncate(installation.volumeFile(small), GIB / 2);
  for (const [id, host] of [
    [nowhere, null],
    [poolless, 'node1@file'],
  ] as const) {
    await rm(installation.volumeFile(id));
    await breakRow(store, 'volumes', id, { host });
  }
  const [stray, halfMade] = [randomUUID(), randomUUID()];
  await writeFile(installation.volumeFile(stray), 'somebody may want this');
  await writeFile(join(dirname(installation.volumeFile(stray)), `.volume-${halfMade}.3`), '');
  // statuses and rows of work
  await write(store, setStatus.with({ id: deleting, status: 'deleting' }));
  await write(store, setStatus.with({ id: odd, status: 'dancing' }));
  await store.apply([insertStagedWorker(work(working), 'nobody')]);
  const gone = randomUUID();
  await store.apply([insertStagedWorker(work(gone), 'nobody')]);
  const records = await Promise.all([1, 2, 3, 4].map(() => recorded(store)));
  const [undecided = '', orphaned = '', waiting = '', dancing = ''] = records.map(({ id }) => id);
  await store.apply([insertStagedWorker(work(undecided), 'nobody')]);
  for (const id of [orphaned, waiting]) {
    await store.apply([
      placeVolume({ id, host: 'node9@file#pool', clusterName: null, availabilityZone: 'nova' }),
      putReadyWorker({ ...work(id), target: 'node9@file' }),
    ]);
    await write(store, ageWork.with({ id, ms: 60_000 }));
  }
  await write(store, claimDead.with({ id: orphaned }));
  await store.apply([insertStagedWorker(work(dancing), 'nobody')]);
  await breakRow(store, 'workers', dancing, { state: 'dancing', context: 'not JSON' });
  // quota and claims
  await redis.client.hincrby(keysOf('demo').usage, 'i:volumes', 5);
  const [release, hold] = [randomUUID(), randomUUID()];
  await write(store, leftRelease.with({ id: release, resource: randomUUID() }));
  const lease = setInterval(() => void write(store, leaseRelease.with({ id: release })), 1_000);
  t.teardown(() => clearInterval(lease));
  const held = { projectId: 'held', deltas: { volumes: 1 }, resourceType: 'Volume', resourceId: randomUUID() };
  await store.apply([insertHold({ id: hold, ...held }), markHeld(hold)]);
  const gift = randomUUID();
  await store.apply([insertHold({ ...held, id: gift }), markHeld(gift)]);
  await breakRow(store, 'quota_settlements', gift, { kind: 'gift', deltas: 'not JSON' });
  const claimant = randomUUID();
  await claimsOver(redis).claim(
    ...[{ volumeId: claimant, epoch: 1 }, poolAs('node1@file', 'pool', 100, Date.now()), 1, false],
  );
  await redis.client.hincrby(claimKeysOf('node1@file').taken, 'pool', 7);

  const wrong = [
    ['backend_silent', 'node9@file'],
    ['claim_without_work', claimant],
    ['claims_differ', 'node1@file#pool'],
    ['file_of_other_size', small],
    ['file_without_record', stray],
    ['half_made_file_left', halfMade],
    ['hold_without_work', hold],
    ['quota_differs', 'demo'],
    ...[lost, nowhere, poolless].toSorted().map((id) => ['record_without_file', id]),
    ['settlement_left', release],
    ['settlement_unreadable', gift],
    ['status_unreadable', odd],
    ['status_without_work', deleting],
    ['work_of_dead_owner', orphaned],
    ['work_of_other_status', working],
    ['work_unreadable', dancing],
    ['work_without_resource', gone],
    ['work_without_service', waiting],
    ['work_without_settlement', undecided],
  ];
  t.deepEqual(
    [...new Set(wrong.map(([kind]) => kind))].toSorted(),
    Object.keys(KINDS).toSorted(),
    'every kind is made',
  );
  const first = await doctor(installation);
  t.deepEqual(first.found.toSorted(), wrong);
  t.is(first.code, 1);
  t.deepEqual((await doctor(installation)).found.toSorted(), wrong, 'a look changes nothing');

  const left = wrong.filter(([kind]) => !KINDS[kind as keyof typeof KINDS].repairable);
  const repair = await doctor(installation, '--repair');
  t.deepEqual(repair.found.toSorted(), wrong);
  t.deepEqual(repair.left.toSorted(), left);
  t.is(repair.code, 1);
  t.regex(repair.stderr, /Found 21, mended 12, left 9\./);
  const quarantine = join(dirname(installation.volumeFile(stray)), '.quarantine');
  t.deepEqual(await readdir(quarantine), [`volume-${stray}.1`]);
  t.regex(installation.process.stderr(), /"message":"a repair"/);
  t.deepEqual((await doctor(installation)).found.toSorted(), left);

  // what an operator does
  await writeFile(installation.volumeFile(lost), '');
  for (const id of [lost, small]) await truncate(installation.volumeFile(id), GIB);
  for (const id of [orphaned, waiting, nowhere, poolless]) await write(store, destroy.with({ id }));
  await write(store, setStatus.with({ id: odd, status: 'available' }));
  clearInterval(lease);
  await write(store, forgetSettlement.with({ id: release }));
  t.is((await doctor(installation, '--repair')).code, 0, 'their rows went with the volumes');
  t.deepEqual((await doctor(installation)).found, []);
});

/** What the command line finds: kind and resource, and of these what is left. */
async function doctor(installation: Installation, ...options: readonly string[]) {
  const environment = { CINDER_API: installation.address, CINDER_PROJECT_ID: 'operators', CINDER_ROLES: 'admin' };
  const { code, stdout, stderr } = await cli(['doctor', '-f', 'json', ...options], { environment });
  const rows = (stdout === '' ? [] : JSON.parse(stdout)) as {
    readonly Kind: string;
    readonly Resource: string;
    readonly Repaired: boolean;
    readonly Remedy: string;
  }[];
  const pairs = (some: typeof rows) => some.map(({ Kind, Resource }) => [Kind, Resource]);
  const left = rows.filter(({ Repaired }) => !Repaired);
  return { code, stderr, found: pairs(rows), left: pairs(left), remedies: left.map(({ Remedy }) => Remedy) };
}

/** Makes, clones and deletes volumes until it is told to stop, and lets them end. Answers how many were made. */
async function keepBusy(client: Client, signal: AbortSignal): Promise<number> {
  let count = 0;
  while (!signal.aborted) {
    const { id } = await client.create();
    await client.available(id);
    const clone = await client.create({ sourceVolumeId: id });
    const other = await client.create();
    await client.available(clone.id);
    await Promise.all([id, clone.id].map((each) => client.delete(each)));
    await client.delete(other.id, { force: true });
    count += 3;
    await delay(5);
  }
  return count;
}

async function available(client: Client, count: number): Promise<readonly string[]> {
  const made = await Promise.all(Array.from({ length: count }, () => client.create()));
  await Promise.all(made.map(({ id }) => client.available(id)));
  return made.map(({ id }) => id);
}

function work(resourceId: string): NewWorker {
  const message = { binary: 'cinder-volume', method: 'CreateVolume', payload: Buffer.alloc(0) } as const;
  return {
    ...{ resourceType: 'Volume', resourceId, status: 'creating', target: null, context: CONTEXT },
    message: { ...message, payloadVersion: '3.0' },
  };
}

async function write(store: Store, change: Step['statement']): Promise<void> {
  await store.apply([{ statement: change, rows: 1 }]);
}

const setStatus = statement<{ id: string; status: string }>()(({ db }, p) =>
  db.updateTable('volumes').set({ status: p.status }).where('id', '=', p.id),
);

const ageWork = statement<{ id: string; ms: number }>()(({ db }, p) =>
  db
    .updateTable('workers')
    .set((eb) => ({ updated_at: eb('updated_at', '-', p.ms) }))
    .where('resource_id', '=', p.id),
);

const claimDead = statement<{ id: string }>()(({ db }, p) =>
  db.updateTable('workers').set({ state: 'claimed', owner: 'nobody' }).where('resource_id', '=', p.id),
);

const destroy = statement<{ id: string }>()(({ db, now }, p) =>
  db.updateTable('volumes').set({ status: 'deleted', deleted_at: now }).where('id', '=', p.id),
);

const LEASE_MS = 10_000;

/** A release that nobody may take: as of a process whose Redis is away, and that tries again and again. */
const leftRelease = statement<{ id: string; resource: string }>()(({ db, now }, p) =>
  db.insertInto('quota_settlements').values({
    ...{ id: p.id, project_id: 'left', kind: 'release', state: 'open', deltas: '{"volumes":1}' },
    ...{ resource_type: 'Volume', resource_id: p.resource, until: 1, lease_owner: 'nobody' },
    ...{ lease_until: sql<number>`${now} + ${LEASE_MS}`, created_at: 1 },
  }),
);

const leaseRelease = statement<{ id: string }>()(({ db, now }, p) =>
  db
    .updateTable('quota_settlements')
    .set({ lease_until: sql<number>`${now} + ${LEASE_MS}` })
    .where('id', '=', p.id),
);

const forgetSettlement = statement<{ id: string }>()(({ db }, p) =>
  db.deleteFrom('quota_settlements').where('id', '=', p.id),
);
