import { randomUUID } from 'node:crypto';
import test from 'ava';
import { cleanupWorkers } from '#src/api/handlers/cleanup-workers.js';
import type { Store } from '#src/db/store.js';
import { claimWorker } from '#src/db/worker-claims.js';
import { CleanupWorkersRequest } from '#src/gen/cinder/api/v3/workers.js';
import type { CleanupRequest } from '#src/gen/cinder/objects/v1/cleanup_request.js';
import { putReadyWorker } from '#src/db/workers.js';
import { BACKEND, CONTEXT, readyRow } from '../casts/rows.js';
import { sqliteStore, storesFor } from '../support/sql.js';

test('every bad field is named in one answer, and no scheduler is asked', async (t) => {
  const { ask, asked } = cleaning(await sqliteStore(t));
  const bad = { clusterName: '', host: 'x'.repeat(256), binary: 'cinder-api', resourceId: 'x', resourceType: 'group' };
  const error = await t.throwsAsync<Error & { facts: { violations: readonly { field: string }[] } }>(
    ask({ ...bad, serviceId: '1' }),
  );
  t.deepEqual(error.facts.violations.map(({ field }) => field).sort(), [
    ...['binary', 'cluster_name', 'host', 'resource_id', 'resource_type', 'service_id'],
  ]);
  t.deepEqual(asked, []);
});

test('what is asked for is handed to a scheduler, and its answer is the caller’s', async (t) => {
  const { ask, asked } = cleaning(await sqliteStore(t));
  const answer = await ask({ host: 'h', binary: 'cinder-volume', isUp: true, disabled: false });
  t.like(asked[0], { host: 'h', binary: 'cinder-volume', isUp: true, disabled: false, serviceId: undefined });
  t.deepEqual([answer.cleaning.length, answer.unavailable.length], [1, 0]);
});

test('the type of a resource is meant in any case', async (t) => {
  const { ask, asked } = cleaning(await sqliteStore(t));
  for (const resourceType of ['volume', 'SNAPSHOT']) await ask({ host: 'h', resourceType });
  t.deepEqual(
    asked.map(({ resourceType }) => resourceType),
    ['Volume', 'Snapshot'],
  );
});

storesFor('where a volume and a snapshot of one id are worked on, the caller says which is meant', async (t, store) => {
  const { ask, asked } = cleaning(store);
  const { resourceId, epoch } = await readyRow(store, { work: 'create' });
  const claim = { resourceId, epoch, owner: 'o', binary: 'cinder-volume', target: BACKEND, serviceId: 'service-1' };
  await store.apply([{ ...claimWorker({ ...claim, resourceType: 'Volume' }), rows: 1 }]);
  const message = { binary: 'cinder-volume', method: 'X', payload: Buffer.alloc(0), payloadVersion: '3.0' } as const;
  const snapshot = {
    resourceType: 'Snapshot',
    resourceId,
    status: 'creating',
    target: null,
    context: CONTEXT,
  } as const;
  const [put] = await store.apply([putReadyWorker({ ...snapshot, message })]);
  const snapshotEpoch = Number(put?.returned[0]?.['epoch']);
  const other = { ...claim, resourceType: 'Snapshot', epoch: snapshotEpoch, serviceId: 'service-2' } as const;
  await store.apply([{ ...claimWorker(other), rows: 1 }]);

  await t.throwsAsync(ask({ resourceId }), { name: 'InvalidInput', message: /resource_type/ });
  await t.throwsAsync(ask({ resourceId, binary: 'cinder-scheduler' }), { name: 'InvalidInput', message: /nobody has/ });
  await ask({ resourceId, resourceType: 'Snapshot' });
  t.like(asked[0], { resourceId, resourceType: 'Snapshot', serviceId: 'service-2' });
  // a service that is named is not looked for
  await ask({ resourceId, host: 'h' });
  t.like(asked[1], { resourceId, host: 'h', serviceId: undefined });
});

storesFor('a resource alone is enough: its row of work says whose it is', async (t, store) => {
  const { ask, asked } = cleaning(store);
  const { resourceType, resourceId, epoch } = await readyRow(store, { work: 'create' });
  await t.throwsAsync(ask({ resourceId }), { name: 'InvalidInput', message: /nobody has begun any work on it/ });
  await t.throwsAsync(ask({ resourceId: randomUUID() }), { name: 'InvalidInput' });
  const claim = { resourceType, resourceId, epoch, owner: 'o', binary: 'cinder-volume', target: BACKEND };
  await store.apply([{ ...claimWorker({ ...claim, serviceId: 'service-1' }), rows: 1 }]);
  await ask({ resourceId, isUp: true });
  t.like(asked[0], { resourceId, resourceType: 'Volume', serviceId: 'service-1', isUp: true });
});

storesFor('a host with the pool that a volume shows means its backend', async (t, store) => {
  const { ask, asked } = cleaning(store);
  await ask({ host: 'node1@file#pool', isUp: true });
  await ask({ clusterName: 'cluster@file#pool' });
  t.like(asked, [{ host: 'node1@file' }, { clusterName: 'cluster@file' }]);
  await t.throwsAsync(ask({ host: '#pool' }), { name: 'InvalidInput' });
});

function cleaning(store: Store) {
  const asked: CleanupRequest[] = [];
  const handler = cleanupWorkers({
    store,
    scheduler: {
      workCleanup: async (_context, request) => {
        asked.push(request);
        const service = { id: 'i', binary: 'cinder-volume', host: 'h', clusterName: undefined };
        return { requested: [service], notRequested: [] };
      },
    },
  });
  const ask = (request: Partial<CleanupWorkersRequest>) =>
    handler(CleanupWorkersRequest.create(request), {
      context: { ...CONTEXT, roles: ['admin'] },
      deadline: Date.now() + 10_000,
      signal: new AbortController().signal,
    });
  return { ask, asked };
}
