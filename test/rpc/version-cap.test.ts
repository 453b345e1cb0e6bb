import test from 'ava';
import { type ServiceVersions, VersionCap, type VersionCapOptions } from '#src/rpc/version-cap.js';
import { formatVersion, versionOf } from '#src/rpc/version-number.js';

const OWN = { rpc: versionOf('3.12'), objects: versionOf('1.39') };
const OLDEST = { rpc: versionOf('3.0'), objects: versionOf('1.38') };

function service(rpcVersion: string, more: Partial<ServiceVersions> = {}): ServiceVersions {
  return { host: 'a', rpcVersion, objectVersion: '1.39', silentMs: 0, ...more };
}

function capOf(services: readonly ServiceVersions[], options: Partial<VersionCapOptions> = {}): VersionCap {
  const registry = { versionsOf: async () => services };
  return new VersionCap({ binary: 'cinder-scheduler', registry, own: OWN, oldest: OLDEST, ...options });
}

const capIs = test.macro({
  exec: async (t, services: readonly ServiceVersions[], options: Partial<VersionCapOptions>, expected: string) => {
    t.is(String(await capOf(services, options).current()), expected);
  },
  title: (title) => title ?? '',
});

test('without services the cap is our own version', capIs, [], {}, '3.12 (objects 1.39)');
test('the oldest service decides', capIs, [service('3.12'), service('3.9'), service('3.10')], {}, '3.9 (objects 1.39)');
test('newer services do not raise it above our own', capIs, [service('3.20')], {}, '3.12 (objects 1.39)');
test(
  'the oldest objects decide, of whichever service',
  capIs,
  [service('3.9'), service('3.12', { objectVersion: '1.38' })],
  {},
  '3.9 (objects 1.38)',
);
test('a pin lowers it', capIs, [service('3.12')], { pin: '3.8' }, '3.8 (objects 1.39)');
test('a pin does not raise it', capIs, [service('3.7')], { pin: '3.11' }, '3.7 (objects 1.39)');
test(
  'a service that died long ago holds nobody down',
  capIs,
  [service('3.1', { silentMs: 101 }), service('3.9', { silentMs: 99 })],
  { serviceTtlMs: 100 },
  '3.9 (objects 1.39)',
);
test(
  'by default long ago is a day',
  capIs,
  [service('3.1', { silentMs: 86_400_001 }), service('3.5', { silentMs: 86_399_999 })],
  {},
  '3.5 (objects 1.39)',
);

test('what may be sent is compared by number, within the major version', async (t) => {
  const cap = await capOf([service('3.10')]).current();
  t.true(cap.canSendVersion('3.9'));
  t.false(cap.canSendVersion('3.11'));
  t.false(cap.canSendVersion('4.0'));
  t.false(cap.canSendVersion('2.0'));
});

test('of several forms the first that may be sent is taken, the last one untested', async (t) => {
  const cap = await capOf([service('3.5')]).current();
  t.is(cap.compatVersion('3.17', '3.4', '3.0'), '3.4');
  t.is(cap.compatVersion('3.17', '3.16'), '3.16');
  t.is(cap.compatVersion('3.5', '3.0'), '3.5');
});

test('the cap is read again after five seconds, and at once after a refusal', async (t) => {
  let [now, reads] = [0, 0];
  const registry = {
    versionsOf: async () => {
      reads += 1;
      return [service(`3.${reads}`)];
    },
  };
  const cap = capOf([], { registry, clock: () => now });
  const minor = async (): Promise<string> => formatVersion((await cap.current()).rpc);
  t.is(await minor(), '3.1');
  now = 4_999;
  t.is(await minor(), '3.1');
  now = 5_000;
  t.is(await minor(), '3.2');
  cap.drop();
  t.is(await minor(), '3.3');
});
