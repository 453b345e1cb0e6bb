import type { ExecutionContext } from 'ava';
import test from 'ava';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { isUp, servicesOf } from '#src/db/services.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { peersIn, registryIn } from '#src/rpc/discovery.js';
import { Presence, type PresenceOptions } from '#src/rpc/presence.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/rpc.js';
import { storesFor } from '../support/sql.js';

const BACKENDS = ['b1', 'b2'].map((name) => ({ host: `h@${name}`, clusterName: null, availabilityZone: 'nova' }));

/** A volume process of a test's own; its heartbeat ends by `t.teardown`. */
function presence(
  t: ExecutionContext,
  store: Store,
  incarnation: string,
  options: Partial<PresenceOptions> = {},
): Presence {
  const process = {
    incarnation,
    binary: 'cinder-volume',
    host: 'h',
    endpoint: '127.0.0.1:8796',
    rpcVersion: '3.20',
    objectVersion: '1.39',
  };
  const one = new Presence({ store, process, services: BACKENDS, newId: () => randomUUID(), ...options });
  t.teardown(() => one.stop().catch(() => undefined));
  return one;
}

const age = statement<{ by: number }>()(({ db }, p) =>
  db.updateTable('processes').set({ heartbeat_at: sql<number>`heartbeat_at - ${p.by}` }),
);
const ageServices = statement<{ by: number }>()(({ db }, p) =>
  db.updateTable('services').set({ heartbeat_at: sql<number>`heartbeat_at - ${p.by}` }),
);
const purgeProcesses = statement()(({ db }) => db.deleteFrom('processes'));
const disable = statement()(({ db }) => db.updateTable('services').set({ disabled: 1, disabled_reason: 'broken' }));

storesFor('a started process is found by peers with its backends, and its services are up', async (t, store) => {
  const one = presence(t, store, 'one');
  await one.start();
  t.deepEqual(await peersIn(store, { downAfterMs: 60_000 })('cinder-volume'), [
    { incarnation: 'one', host: 'h', endpoint: '127.0.0.1:8796', serves: ['h@b1', 'h@b2'] },
  ]);
  t.deepEqual(await peersIn(store, { downAfterMs: 60_000 })('cinder-scheduler'), []);
  const services = await servicesOf(store, 'cinder-volume');
  t.deepEqual(
    services.map(({ host, rpcVersion, objectVersion }) => [host, rpcVersion, objectVersion]),
    [
      ['h@b1', '3.20', '1.39'],
      ['h@b2', '3.20', '1.39'],
    ],
  );
  t.true(services.every((service) => isUp(service, 60_000)));
  t.is(one.serviceId('h@b1'), services[0]?.id);
  t.is(one.serviceId('h@other'), undefined);
  t.true(one.silentMs < 5_000);
});

storesFor('a cluster is served by its members', async (t, store) => {
  await presence(t, store, 'one', {
    services: [{ host: 'h@b1', clusterName: 'c@b1', availabilityZone: 'nova' }],
  }).start();
  const [peer] = await peersIn(store, { downAfterMs: 60_000 })('cinder-volume');
  t.deepEqual(peer?.serves, ['h@b1', 'c@b1']);
});

storesFor('a silent process is not living, by the clock of the database', async (t, store) => {
  await presence(t, store, 'one').start();
  await store.apply([{ statement: age.with({ by: 61_000 }) }, { statement: ageServices.with({ by: 61_000 }) }]);
  t.deepEqual(await peersIn(store, { downAfterMs: 60_000 })('cinder-volume'), []);
  const [service] = await servicesOf(store, 'cinder-volume');
  t.true(service && !isUp(service, 60_000) && service.silentMs >= 61_000);
  t.is((await registryIn(store).versionsOf('cinder-volume')).length, 2, 'it still holds versions down');
});

storesFor('heartbeats keep a process alive', async (t, store) => {
  const one = presence(t, store, 'one', { reportIntervalMs: 20 });
  await one.start();
  await store.apply([{ statement: age.with({ by: 61_000 }) }]);
  await until(
    'a heartbeat is written',
    async () => (await peersIn(store, { downAfterMs: 60_000 })('cinder-volume')).length === 1,
  );
  t.true(one.silentMs < 60_000);
});

storesFor('a service that is taken back looks down at once, and lives again when it is added', async (t, store) => {
  let isReplaced = false;
  const one = presence(t, store, 'one', { reportIntervalMs: 20, onReplaced: () => (isReplaced = true) });
  await one.start();
  await one.remove('h@b1');
  const states = async () =>
    (await servicesOf(store, 'cinder-volume')).map((service) => [service.host, isUp(service, 60_000)]);
  t.deepEqual(await states(), [
    ['h@b1', false],
    ['h@b2', true],
  ]);
  t.is(one.serviceId('h@b1'), undefined);
  const [peer] = await peersIn(store, { downAfterMs: 60_000 })('cinder-volume');
  t.deepEqual(peer?.serves, ['h@b2']);
  await one.beat();

  for (const [backend] of [BACKENDS, BACKENDS])
    if (backend) await Promise.all([one.beat(), one.add(backend), one.beat()]);
  await one.beat();
  t.deepEqual(await states(), [
    ['h@b1', true],
    ['h@b2', true],
  ]);
  t.truthy(one.serviceId('h@b1'));
  t.false(isReplaced);
});

storesFor('a stopped process is gone at once, and holds no versions down', async (t, store) => {
  const one = presence(t, store, 'one');
  await one.start();
  await one.stop();
  await one.stop();
  t.deepEqual(await peersIn(store, { downAfterMs: 60_000 })('cinder-volume'), []);
  t.deepEqual(await registryIn(store).versionsOf('cinder-volume'), []);
  t.deepEqual(
    (await servicesOf(store, 'cinder-volume')).map(({ stopped }) => stopped),
    [true, true],
  );
});

storesFor(
  'a restarted service keeps its row, its id and what administrators set, and gets its new versions',
  async (t, store) => {
    const first = presence(t, store, 'one');
    await first.start();
    await store.apply([{ statement: disable.with({}) }]);
    await first.stop();
    const process = {
      incarnation: 'two',
      binary: 'cinder-volume',
      host: 'h',
      endpoint: '127.0.0.1:1',
      rpcVersion: '3.15',
      objectVersion: '1.38',
    };
    const second = presence(t, store, 'two', { process });
    await second.start();
    const services = await servicesOf(store, 'cinder-volume');
    t.is(services.length, 2);
    t.is(second.serviceId('h@b1'), first.serviceId('h@b1'));
    t.like(services[0], {
      disabled: true,
      disabledReason: 'broken',
      rpcVersion: '3.15',
      objectVersion: '1.38',
      incarnation: 'two',
      stopped: false,
    });
  },
);

storesFor(
  'a process whose backends a newer run has taken is told once, and the newer run keeps them',
  async (t, store) => {
    let told = 0;
    const first = presence(t, store, 'one', { onReplaced: () => (told += 1) });
    await first.start();
    await presence(t, store, 'two').start();
    await first.beat();
    await first.beat();
    t.is(told, 1);
    await first.stop();
    const peers = await peersIn(store, { downAfterMs: 60_000 })('cinder-volume');
    t.deepEqual(
      peers.map(({ incarnation, serves }) => [incarnation, serves.length]),
      [['two', 2]],
    );
  },
);

storesFor('a service that ends while it is still being registered is down', async (t, store) => {
  const gate = new Gate();
  let isSlow = false;
  const slow: Store = {
    ...{ dialect: store.dialect, read: (statement) => store.read(statement), close: () => store.close() },
    apply: async (unit) => {
      if (isSlow && unit.length === 1) await gate.enter();
      return store.apply(unit);
    },
  };
  const one = presence(t, slow, 'one', { services: BACKENDS.slice(0, 1) });
  await one.start();
  isSlow = true;
  const added = one.add({ host: 'h@b2', clusterName: null, availabilityZone: 'nova' });
  await gate.inside(1);
  const removed = one.remove('h@b2');
  await pause(100); // had it not waited, it would be over
  gate.open();
  await Promise.all([added, removed]);
  await one.beat();

  const services = await servicesOf(store, 'cinder-volume');
  t.deepEqual(
    services.map((service) => [service.host, isUp(service, 60_000)]),
    [
      ['h@b1', true],
      ['h@b2', false],
    ],
  );
  t.is(one.serviceId('h@b2'), undefined);
});

storesFor('a living process whose row was purged comes back with its next heartbeat', async (t, store) => {
  const one = presence(t, store, 'one');
  await one.start();
  await store.apply([{ statement: purgeProcesses.with({}) }]);
  await one.beat();
  t.is((await peersIn(store, { downAfterMs: 60_000 })('cinder-volume')).length, 1);
});

storesFor('a process whose row was purged takes nothing back from a newer run, and is told', async (t, store) => {
  let told = 0;
  const first = presence(t, store, 'one', { onReplaced: () => (told += 1) });
  await first.start();
  await store.apply([{ statement: purgeProcesses.with({}) }]);
  const second = presence(t, store, 'two', { onReplaced: () => t.fail('the newer run goes on') });
  await second.start();

  await first.beat();
  await second.beat();

  t.is(told, 1);
  const services = await servicesOf(store, 'cinder-volume');
  t.deepEqual(
    services.map(({ incarnation }) => incarnation),
    ['two', 'two'],
  );
});

test('when heartbeats cannot be written the owner sees for how long, and is told of trouble and of its end', async (t) => {
  let [now, down] = [0, false];
  const trouble: unknown[] = [];
  const store: Store = {
    dialect: 'sqlite',
    apply: async (unit) => {
      if (down) throw new Error('database away');
      return unit.map(() => ({ rows: 2, returned: [{ id: 'x' }] }));
    },
    read: async () => [],
    close: async () => undefined,
  };
  const one = presence(t, store, 'one', {
    clock: () => now,
    reportIntervalMs: 10_000,
    onTrouble: (error) => trouble.push(error),
  });
  t.is(one.silentMs, Infinity);
  await one.start();
  t.is(one.silentMs, 0);
  [now, down] = [30_000, true];
  await one.beat();
  t.is(one.silentMs, 30_000);
  [now, down] = [40_000, false];
  await one.beat();
  t.is(one.silentMs, 0);
  t.like(trouble, [{ message: 'database away' }, undefined]);
});

test('a heartbeat that hangs is trouble when the last one is too old, and not only when it fails', async (t) => {
  let answer = (): void => undefined;
  let isHanging = false;
  const store: Store = {
    dialect: 'sqlite',
    apply: async (unit) => {
      if (isHanging) await new Promise<void>((resolve) => (answer = resolve));
      return unit.map(() => ({ rows: 2, returned: [{ id: 'x' }] }));
    },
    read: async () => [],
    close: async () => undefined,
  };
  const told = new Promise<unknown>((resolve) => {
    const options = { reportIntervalMs: 20, maxSilentMs: 60, onTrouble: resolve };
    const one = presence(t, store, 'one', options);
    void one.start().then(() => (isHanging = true));
  });
  t.like(await told, { message: 'the database does not answer' });
  isHanging = false;
  answer();
});
