import { randomUUID } from 'node:crypto';
import type { ServiceError } from '@grpc/grpc-js';
import { openStore } from '#src/db/open-store.js';
import { putProcess } from '#src/db/processes.js';
import { putService } from '#src/db/services.js';
import type { NewWorker } from '#src/db/worker-row.js';
import { putReadyWorker } from '#src/db/workers.js';
import type { Store } from '#src/db/store.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { CONTEXT, messagesOf, rowOf } from '../casts/rows.js';
import { refusalIn } from '../support/api.js';
import { breakRow, type Nonsense } from '../support/broken-rows.js';
import { cli } from '../support/cli.js';
import { installationFor, until } from '../support/installation.js';
import { redisUrlFor } from '../support/redis.js';
import { postgresTest, postgresUrl } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

const IMPATIENT = { CINDER_REPORT_INTERVAL: '1', CINDER_SERVICE_DOWN_TIME: '4' };
const GARBAGE = Buffer.from([0xff, 0xff, 0xff]);

/** Work as somebody left it, what is wrong with it, and how it ends. */
interface Broken {
  readonly columns: Readonly<Record<string, Nonsense>>;
  /** `error`: with a message for its owner · `rests`: it is sent less and less often, until its age ends it */
  readonly ends: 'error' | 'rests';
  /** What the log says. */
  readonly says: RegExp;
}

const BROKEN: Readonly<Record<string, Broken>> = {
  'an unknown binary': {
    columns: { binary: 'cinder-dancer' },
    ends: 'rests',
    says: /nothing is known of a cinder-dancer/,
  },
  'an unknown method': { columns: { method: 'FlyVolume' }, ends: 'rests', says: /"method":"FlyVolume".*"problem"/ },
  'a payload that is none': {
    columns: { payload: GARBAGE },
    ends: 'error',
    // whoever reads it first: its receiver, or its sender, where an older service makes it say the payload anew
    says: /"ended":"failed"|work is given up.*payload: (?!Error: 'x\.y')/,
  },
  'a payload of the future': {
    columns: { payload_version: '3.999' },
    ends: 'rests',
    says: /CreateVolume needs RPC 3\.999/,
  },
  'a version that is none': {
    columns: { payload_version: 'x.y' },
    ends: 'error',
    says: /work is given up.*'x\.y' is not a version/,
  },
  'a backend that never was': {
    columns: { binary: 'cinder-volume', target: 'node9@never' },
    ends: 'rests',
    says: /no living process serves 'node9@never'/,
  },
  'no backend where one is needed': {
    columns: { binary: 'cinder-volume' },
    ends: 'rests',
    says: /This process does not serve the backend ''/,
  },
  'a resource of no kind': { columns: { resource_type: 'Sandwich' }, ends: 'rests', says: /of a Sandwich/ },
  'a negative epoch, without a context': {
    columns: { epoch: -5, context: 'not JSON', payload: GARBAGE },
    ends: 'error',
    says: /its context cannot be read/,
  },
};

postgresTest('nonsense in the records keeps nobody from working, is told, and comes to an end', async (t) => {
  t.timeout(240_000);
  const [databaseUrl, redisUrl] = await Promise.all([postgresUrl(t), redisUrlFor(t)]);
  const environment = { ...IMPATIENT, CINDER_DATABASE_URL: databaseUrl, CINDER_REDIS_URL: redisUrl };
  const installation = await installationFor(t, environment);
  t.teardown(() => {
    if (!t.passed) t.log(installation.process.stderr().slice(-4_000));
  });
  const store = await openStore(databaseUrl);
  t.teardown(() => store.close());
  const client = installation.client('p1', 'admin');
  const [sound, odd, lost] = await Promise.all([client.create(), client.create(), client.create()]);
  for (const { id } of [sound, odd, lost]) await client.available(id);

  // peers that nobody can reach, and volumes in no status and of no backend
  await ghosts(store);
  await breakRow(store, 'volumes', odd.id, { status: 'dancing', previous_status: '?' });
  await breakRow(store, 'volumes', lost.id, { host: 'garbage' });
  // work of every bad kind, and on a volume that never was
  const ids = new Map<string, string>();
  for (const [what, { columns }] of Object.entries(BROKEN)) {
    const { id } = await recorded(store, { projectId: 'p1' });
    await store.apply([putReadyWorker(work(id))]);
    await breakRow(store, 'workers', id, columns);
    ids.set(what, id);
  }
  const never = randomUUID();
  await store.apply([putReadyWorker({ ...work(never), message: { ...work(never).message, payload: GARBAGE } })]);

  for (const [what, { ends, says }] of Object.entries(BROKEN)) {
    const id = ids.get(what) ?? '';
    if (ends === 'error') {
      await until(async () => ((await rowOf(store, id)) ? undefined : true), `${what} to end`);
      t.is((await client.get(id))?.status, VolumeStatus.ERROR, what);
      t.is((await messagesOf(store, id)).length, 1, what);
    } else {
      await until(async () => (((await rowOf(store, id))?.not_before ?? 0) > 0 ? true : undefined), `${what} to rest`);
      t.is((await client.get(id))?.status, VolumeStatus.CREATING, what);
    }
    await installation.process.wrote(says);
  }
  await until(async () => ((await rowOf(store, never)) ? undefined : true), 'work on nothing to end');

  const listed = await client.list();
  t.is(listed.find(({ id }) => id === odd.id)?.status, VolumeStatus.UNSPECIFIED);
  t.is(listed.find(({ id }) => id === lost.id)?.host, 'garbage');
  await client.delete(lost.id);
  t.is((await client.get(lost.id))?.status, VolumeStatus.DELETING, 'it waits for its backend');
  // a key that stands for a volume that never was, and one for another request
  const [keyed, other] = await Promise.all(['one', 'two'].map((key) => client.create({ idempotencyKey: key })));
  await breakRow(store, 'idempotency', 'one', { resource_id: 'garbage' });
  await breakRow(store, 'idempotency', 'two', { request_hash: 'garbage' });
  for (const [key, reason] of [
    ['one', 'VOLUME_NOT_FOUND'],
    ['two', 'IDEMPOTENCY_KEY_REUSED'],
  ] as const) {
    const error = await t.throwsAsync<ServiceError>(client.create({ idempotencyKey: key }));
    t.is(refusalIn(error).reason, reason);
  }
  for (const id of [keyed?.id ?? '', other?.id ?? '']) await client.available(id);
  for (let round = 0; round < 4; round += 1) {
    const { id } = await client.create();
    await client.available(id);
    await client.delete(id);
    await client.gone(id);
  }
  const resting = await Promise.all(
    Object.entries(BROKEN)
      .filter(([, { ends }]) => ends === 'rests')
      .map(([what]) => rowOf(store, ids.get(what) ?? '')),
  );
  t.true(
    resting.every((row) => row && row.sends < 12),
    'longer and longer, not again and again',
  );
  const operator = { CINDER_API: installation.address, CINDER_PROJECT_ID: 'p1', CINDER_ROLES: 'admin' };
  const reset = await cli(['volume', 'reset-state', '--state', 'available', '--reason', 'no such status', odd.id], {
    environment: operator,
  });
  t.is(reset.code, 0, reset.stderr);
  await client.delete(odd.id);
  await client.gone(odd.id);
  t.is(await installation.stop(), 0);
});

/** Processes and services that seem to live, whose addresses and versions are none. */
async function ghosts(store: Store): Promise<void> {
  for (const [index, endpoint] of ['', 'nonsense', '127.0.0.1:99999', 'x://y'].entries()) {
    for (const binary of ['cinder-scheduler', 'cinder-volume']) {
      const incarnation = `ghost-${binary}-${index}`;
      await store.apply([
        putProcess({ incarnation, binary, host: 'ghost', endpoint, rpcVersion: 'x', objectVersion: '' }),
        putService({
          ...{ id: randomUUID(), binary, host: incarnation, clusterName: null, availabilityZone: '' },
          ...{ rpcVersion: 'x', objectVersion: '', incarnation },
        }),
      ]);
      await breakRow(store, 'processes', incarnation, { heartbeat_at: 9_000_000_000_000 });
    }
  }
}

function work(resourceId: string): NewWorker {
  const message = { binary: 'cinder-scheduler', method: 'CreateVolume', payload: Buffer.alloc(0) } as const;
  return {
    ...{ resourceType: 'Volume', resourceId, status: 'creating', target: null, context: CONTEXT },
    message: { ...message, payloadVersion: '3.0' },
  };
}
