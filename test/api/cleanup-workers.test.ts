import { randomUUID } from 'node:crypto';
import test from 'ava';
import { cleanupWorkers } from '#src/api/handlers/cleanup-workers.js';
import type { Store } from '#src/db/store.js';
import { claimWorker } from '#src/db/worker-claims.js';
import { CleanupWorkersRequest } from '#src/gen/cinder/api/v3/workers.js';
import type { CleanupRequest } from '#src/gen/cinder/objects/v1/cleanup_request.js';
import { BACKEND, CONTEXT, readyRow } from '../casts/rows.js';
import { sqliteStore, storesFor } from '../support/sql.js';

test('every bad field is named in one answer, and no scheduler is asked', async (t) => {
  const { ask, asked } = cleaning(await sqliteStore(t));
  const bad = { clusterName: '', host: 'x'.repeat(256), binary: 'cinder-api', resourceId: 'x', resourceType: 'volume' };
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
