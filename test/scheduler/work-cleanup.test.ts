import test from 'ava';
import type { ServiceRecord } from '#src/db/services.js';
import type { Store } from '#src/db/store.js';
import { putService, stopServices } from '#src/db/services.js';
import { CleanupRequest } from '#src/gen/cinder/objects/v1/cleanup_request.js';
import { workCleanup, type WorkCleanupParts } from '#src/scheduler/handlers/work-cleanup.js';
import { CONTEXT } from '../casts/rows.js';
import { sqliteStore, storesFor } from '../support/sql.js';

/** Up and down, of both kinds. */
async function services(store: Store): Promise<void> {
  for (const [binary, host, incarnation] of [
    ['cinder-scheduler', 's1', 'up'],
    ['cinder-scheduler', 's2', 'down'],
    ['cinder-volume', 'v1@a', 'up'],
    ['cinder-volume', 'v2@a', 'down'],
    ['cinder-backup', 'b1', 'down'],
  ] as const) {
    await store.apply([
      putService({
        ...{ id: `${host}-id`, binary, host, clusterName: null, availabilityZone: 'nova' },
        ...{ rpcVersion: '3.0', objectVersion: '1.39', incarnation },
      }),
    ]);
  }
  await store.apply([stopServices('down')]);
}

const HOSTS: Record<
  string,
  { readonly request: Partial<CleanupRequest>; readonly asked: string[]; readonly not: string[] }
> = {
  'nothing is said: services that are down': { request: {}, asked: ['s2'], not: ['v2@a'] },
  up: { request: { isUp: true }, asked: ['s1', 'v1@a'], not: [] },
  'a binary': { request: { isUp: true, binary: 'cinder-volume' }, asked: ['v1@a'], not: [] },
  'a host': { request: { isUp: true, host: 's1' }, asked: ['s1'], not: [] },
  'a service': { request: { serviceId: 'v2@a-id' }, asked: [], not: ['v2@a'] },
  'another state than the service has': { request: { serviceId: 'v1@a-id' }, asked: [], not: [] },
  'disabled ones': { request: { isUp: true, disabled: true }, asked: [], not: [] },
  'a cluster': { request: { isUp: true, clusterName: 'c' }, asked: [], not: [] },
};

for (const [what, { request, asked, not }] of Object.entries(HOSTS)) {
  storesFor(`of a clean-up that names ${what}`, async (t, store) => {
    await services(store);
    const { ask, sent } = cleaning(store);
    const { requested, notRequested } = await ask(request);
    t.deepEqual([hostsOf(requested), hostsOf(notRequested)], [asked, not]);
    t.deepEqual(sent.map(({ host }) => host).sort(), asked);
  });
}

test('each service is asked for its own work only, as it was when the request came', async (t) => {
  const store = await sqliteStore(t);
  await services(store);
  const { ask, sent } = cleaning(store);
  await ask({ isUp: true, resourceId: 'r', resourceType: 'Volume' });
  t.is(sent.length, 2);
  for (const { serviceId, host, resourceId, resourceType, until } of sent) {
    t.is(serviceId, `${host}-id`);
    t.deepEqual([resourceId, resourceType], ['r', 'Volume']);
    t.true(Math.abs(Date.now() - (until?.getTime() ?? 0)) < 60_000);
  }
});

test('a service that is up and cannot be reached is told apart, and does not keep the others', async (t) => {
  const store = await sqliteStore(t);
  await services(store);
  const unreached: ServiceRecord[] = [];
  const { ask } = cleaning(store, {
    askVolume: () => Promise.reject(new Error('away')),
    onUnreached: (service) => unreached.push(service),
  });
  const { requested, notRequested } = await ask({ isUp: true });
  t.deepEqual([hostsOf(requested), hostsOf(notRequested)], [['s1'], ['v1@a']]);
  t.deepEqual(
    unreached.map(({ host }) => host),
    ['v1@a'],
  );
});

test('while an older scheduler runs nothing is cleaned up', async (t) => {
  const store = await sqliteStore(t);
  await services(store);
  const { ask, sent } = cleaning(store, { isUpgraded: () => Promise.resolve(false) });
  await t.throwsAsync(ask({}), { name: 'UnavailableDuringUpgrade' });
  t.deepEqual(sent, []);
});

function cleaning(store: Store, parts: Partial<WorkCleanupParts> = {}) {
  const sent: CleanupRequest[] = [];
  const handler = workCleanup({
    ...{ store, downAfterMs: 60_000, isUpgraded: () => Promise.resolve(true), onUnreached: () => undefined },
    askScheduler: async (_context, request) => void sent.push(request),
    askVolume: async (_context, request) => void sent.push(request),
    ...parts,
  });
  const ask = (request: Partial<CleanupRequest>) =>
    handler({ cleanupRequest: CleanupRequest.create(request) }, {
      context: CONTEXT,
      deadline: Date.now() + 10_000,
      signal: new AbortController().signal,
    } as Parameters<typeof handler>[1]);
  return { ask, sent };
}

function hostsOf(services: readonly { readonly host: string }[]): string[] {
  return services.map(({ host }) => host).sort();
}
