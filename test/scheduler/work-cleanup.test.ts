import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ServiceRecord } from '#src/db/services.js';
import type { Store } from '#src/db/store.js';
import { putService, stopServices, switchService } from '#src/db/services.js';
import { Fault } from '#src/errors/fault.js';
import { CleanupRequest } from '#src/gen/cinder/objects/v1/cleanup_request.js';
import { workCleanup, type WorkCleanupParts } from '#src/scheduler/handlers/work-cleanup.js';
import { CONTEXT } from '../casts/rows.js';
import { sqliteStore, storesFor } from '../support/sql.js';

/** Up and down, of both kinds, one in a cluster and disabled. */
async function services(store: Store): Promise<void> {
  for (const [binary, host, incarnation, clusterName = null] of [
    ['cinder-scheduler', 's1', 'up'],
    ['cinder-scheduler', 's2', 'down'],
    ['cinder-volume', 'v1@a', 'up'],
    ['cinder-volume', 'v1@b', 'up', 'c@b'],
    ['cinder-volume', 'v2@a', 'down'],
    ['cinder-backup', 'b1', 'down'],
  ] as const) {
    await store.apply([
      putService({
        ...{ id: `${host}-id`, binary, host, clusterName, availabilityZone: 'nova' },
        ...{ rpcVersion: '3.0', objectVersion: '1.39', incarnation },
      }),
    ]);
  }
  await store.apply([stopServices('down')]);
  await switchService(store, { binary: 'cinder-volume', host: 'v1@b', disabled: true, disabledReason: 'broken' });
}

const HOSTS: Record<
  string,
  { readonly request: Partial<CleanupRequest>; readonly asked: string[]; readonly not: string[] }
> = {
  'nothing is said: services that are down': { request: {}, asked: ['s2'], not: ['v2@a'] },
  up: { request: { isUp: true }, asked: ['s1', 'v1@a', 'v1@b'], not: [] },
  down: { request: { isUp: false }, asked: ['s2'], not: ['v2@a'] },
  'a binary': { request: { isUp: true, binary: 'cinder-volume' }, asked: ['v1@a', 'v1@b'], not: [] },
  'a host': { request: { isUp: true, host: 's1' }, asked: ['s1'], not: [] },
  'a backend of a host': { request: { isUp: true, host: 'v1@a' }, asked: ['v1@a'], not: [] },
  'a host with all its backends': { request: { isUp: true, host: 'v1' }, asked: ['v1@a', 'v1@b'], not: [] },
  'a part of a host’s name': { request: { isUp: true, host: 'v' }, asked: [], not: [] },
  'a service': { request: { serviceId: 'v2@a-id' }, asked: [], not: ['v2@a'] },
  'another state than the service has': { request: { serviceId: 'v1@a-id' }, asked: [], not: [] },
  'disabled ones': { request: { isUp: true, disabled: true }, asked: ['v1@b'], not: [] },
  'enabled ones': { request: { isUp: true, disabled: false }, asked: ['s1', 'v1@a'], not: [] },
  'a cluster': { request: { isUp: true, clusterName: 'c@b' }, asked: ['v1@b'], not: [] },
  'a cluster with all its backends': { request: { isUp: true, clusterName: 'c' }, asked: ['v1@b'], not: [] },
  'another cluster': { request: { isUp: true, clusterName: 'd' }, asked: [], not: [] },
};

for (const [what, { request, asked, not }] of Object.entries(HOSTS)) {
  storesFor(`of a clean-up that names ${what}`, async (t, store) => {
    await services(store);
    const { ask, sent } = cleaning(store);
    const { requested, notRequested } = await ask(request);
    t.deepEqual([hostsOf(requested), hostsOf(notRequested)], [asked, not]);
    t.deepEqual(sent.map(({ request: { host } }) => host).sort(), asked);
  });
}

test('each service is asked for its own work only, as it was when the request came', async (t) => {
  const store = await sqliteStore(t);
  await services(store);
  const { ask, sent } = cleaning(store);
  const { requested } = await ask({ isUp: true, resourceId: 'r', resourceType: 'Volume' });
  t.deepEqual(sent.map(({ target }) => target).sort(), [undefined, 'v1@a', 'v1@b'].sort());
  for (const { target, request } of sent) {
    const { serviceId, host, binary, clusterName, resourceId, resourceType, until } = request;
    t.is(serviceId, `${host ?? ''}-id`);
    t.is(target, binary === 'cinder-scheduler' ? undefined : host);
    t.is(clusterName, host === 'v1@b' ? 'c@b' : undefined);
    t.deepEqual([resourceId, resourceType], ['r', 'Volume']);
    t.true(Math.abs(Date.now() - (until?.getTime() ?? 0)) < 60_000);
  }
  const inCluster = { id: 'v1@b-id', binary: 'cinder-volume', host: 'v1@b', clusterName: 'c@b' };
  t.deepEqual(
    requested.find(({ host }) => host === 'v1@b'),
    inCluster,
  );
});

test('work that began after the moment that the caller gives is left alone', async (t) => {
  const store = await sqliteStore(t);
  await services(store);
  const { ask, sent } = cleaning(store);
  const until = new Date(Date.now() - 60_000);
  await ask({ isUp: true, host: 's1', until });
  t.deepEqual(
    sent.map(({ request }) => request.until),
    [until],
  );
});

test('a service that hangs is not waited for longer than the others can bear', async (t) => {
  const store = await sqliteStore(t);
  await services(store);
  const { ask } = cleaning(store, {
    askTimeoutMs: 50,
    askVolume: async (_context, _request, { deadline = Infinity, target }) => {
      if (target === 'v1@a') await delay(Math.min(deadline, Date.now() + 60_000) - Date.now());
      if (target === 'v1@a') throw new Fault('DeadlineExceeded', { what: 'the call' });
    },
  });
  const { requested, notRequested } = await ask({ isUp: true });
  t.deepEqual([hostsOf(requested), hostsOf(notRequested)], [['s1', 'v1@b'], ['v1@a']]);
});

test('a service that is up and cannot be reached is told apart, and does not keep the others', async (t) => {
  const store = await sqliteStore(t);
  await services(store);
  const unreached: ServiceRecord[] = [];
  const { ask } = cleaning(store, {
    askVolume: async (_context, _request, { target }) => {
      if (target === 'v1@a') throw new Error('away');
    },
    onUnreached: (service) => unreached.push(service),
  });
  const { requested, notRequested } = await ask({ isUp: true });
  t.deepEqual([hostsOf(requested), hostsOf(notRequested)], [['s1', 'v1@b'], ['v1@a']]);
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
  const sent: { readonly request: CleanupRequest; readonly target?: string }[] = [];
  const handler = workCleanup({
    ...{ store, downAfterMs: 60_000, isUpgraded: () => Promise.resolve(true), onUnreached: () => undefined },
    askScheduler: async (_context, request) => void sent.push({ request }),
    askVolume: async (_context, request, { target }) => void sent.push({ request, target }),
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
