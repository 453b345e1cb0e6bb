import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { services } from '#src/api/services/services.js';
import { putProcess } from '#src/db/processes.js';
import { putService, stopServices } from '#src/db/services.js';
import type { Store } from '#src/db/store.js';
import { ServicesService, VersionHolderKind, VersionLossKind } from '#src/gen/cinder/api/v3/services.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import { registryIn } from '#src/rpc/discovery.js';
import { publicServer } from '#src/rpc/public-server.js';
import { silent } from '../casts/rows.js';
import { answered, callerFor, refused } from '../support/api.js';
import { clientOptions, descriptors, Installation, MEBIBYTE, rules, schedulerClient } from '../support/rpc.js';
import { storesFor } from '../support/sql.js';

const DOWN_MS = 60_000;
const TTL_MS = 3_600_000;
const ASK = { binary: 'cinder-volume' };

/** The Services of an API process over a store, and its client of volume services. */
async function apiOver(t: ExecutionContext, store: Store) {
  const options = { registry: registryIn(store), serviceTtlMs: TTL_MS };
  const volume = new VolumeClient({ ...clientOptions(new Installation()), ...options });
  t.teardown(() => volume.close());
  const scheduler = schedulerClient(t, new Installation(), options);
  const server = await publicServer({
    address: '127.0.0.1:0',
    maxMessageBytes: MEBIBYTE,
    descriptors,
    rules,
    services: [
      services({
        ...{ store, downAfterMs: DOWN_MS, serviceTtlMs: TTL_MS },
        ...{ clients: [scheduler, volume], scheduler, volume, host: 'h' },
        logLevels: { levels: () => new Map(), setLevels: () => undefined },
      }),
    ],
    authenticator: { authenticate: () => ({ projectId: 'p', userId: 'u', roles: ['admin'] }) },
    policy: { allows: () => true },
    report: (error) => t.log(error),
  });
  t.teardown(() => server.stop(1_000));
  return { volume, call: callerFor(t, server) };
}

/** Registers a volume service; answers its incarnation. */
async function register(store: Store, host: string, rpcVersion: string, objectVersion: string): Promise<string> {
  const incarnation = randomUUID();
  const run = { binary: 'cinder-volume', host, rpcVersion, objectVersion, incarnation };
  await store.apply([
    putProcess({ ...run, endpoint: '127.0.0.1:1' }),
    putService({ ...run, id: randomUUID(), clusterName: null, availabilityZone: 'nova' }),
  ]);
  return incarnation;
}

storesFor('a cap is named, with who holds it down and for how long, and what is lost by it', async (t, store) => {
  await register(store, 'new@b', '3.20', '1.39');
  await register(store, 'old@b', '3.15', '1.38');
  await silent(store, await register(store, 'dead@b', '3.17', '1.39'), 600_000);
  await silent(store, await register(store, 'forgotten@b', '3.1', '1.38'), TTL_MS + 60_000);
  await store.apply([stopServices(await register(store, 'stopped@b', '3.2', '1.38'))]);
  const { call } = await apiOver(t, store);

  const { caps } = answered(await call(ServicesService.explainVersionCap, ASK));

  t.is(caps.length, 1);
  const [cap] = caps;
  t.like(cap, {
    ...{ binary: 'cinder-volume', rpcVersion: '3.15', objectVersion: '1.38' },
    ...{ ownRpcVersion: '3.20', ownObjectVersion: '1.39' },
  });
  t.like(cap?.holders, [
    { kind: VersionHolderKind.SERVICE, host: 'old@b', rpcVersion: '3.15', decides: true, countsFor: undefined },
    { kind: VersionHolderKind.SERVICE, host: 'dead@b', rpcVersion: '3.17', decides: false, unreadable: false },
  ]);
  t.is(cap?.holders.length, 2);
  const [old, dead] = cap?.holders ?? [];
  t.true((old?.silent?.seconds ?? 99) < 60);
  t.true((dead?.silent?.seconds ?? 0) >= 600);
  t.true(Math.abs((dead?.countsFor?.seconds ?? 0) + (dead?.silent?.seconds ?? 0) - TTL_MS / 1_000) <= 2);
  const lost = cap?.losses.map(({ kind, what }) => `${kind} ${what}`) ?? [];
  t.true(lost.includes(`${VersionLossKind.METHOD_REFUSED} Reimage`));
  t.true(lost.includes(`${VersionLossKind.FIELD_REWORDED} Volume.use_quota`));
  t.false(
    lost.some((each) => each.includes('RevertToSnapshot')),
    '3.15 has it',
  );
});

storesFor(
  'a pin and a record without a version are named as what they are; when they go, the cap is lifted',
  async (t, store) => {
    await register(store, 'odd@b', 'three', '1.39');
    const { call, volume } = await apiOver(t, store);
    volume.pin('3.18');

    const [cap] = answered(await call(ServicesService.explainVersionCap, ASK)).caps;

    t.is(cap?.rpcVersion, '3.0');
    t.like(cap?.holders, [
      { kind: VersionHolderKind.SERVICE, host: 'odd@b', rpcVersion: 'three', unreadable: true, decides: true },
      { kind: VersionHolderKind.PIN, host: '', rpcVersion: '3.18', decides: false, silent: undefined },
    ]);

    await register(store, 'odd@b', '3.20', '1.39');
    const [pinned] = answered(await call(ServicesService.explainVersionCap, ASK)).caps;
    t.like(pinned, { rpcVersion: '3.18', holders: [{ kind: VersionHolderKind.PIN, decides: true }] });

    volume.pin(undefined);
    const [free] = answered(await call(ServicesService.explainVersionCap, ASK)).caps;
    t.like(free, { rpcVersion: '3.20', holders: [], losses: [] });
  },
);

storesFor('both binaries are explained unless one is named, and what is none is said to be none', async (t, store) => {
  const { call } = await apiOver(t, store);
  const { caps } = answered(await call(ServicesService.explainVersionCap, { binary: '' }));
  t.deepEqual(
    caps.map(({ binary }) => binary),
    ['cinder-scheduler', 'cinder-volume'],
  );
  const refusal = refused(await call(ServicesService.explainVersionCap, { binary: 'cinder-backup' }));
  t.is(refusal.reason, 'INVALID_INPUT');
});
