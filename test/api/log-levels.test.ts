import test from 'ava';
import { getLogLevels } from '#src/api/handlers/get-log-levels.js';
import { setLogLevels } from '#src/api/handlers/set-log-levels.js';
import type { LogClient } from '#src/api/logging-services.js';
import { putService, stopServices } from '#src/db/services.js';
import type { Store } from '#src/db/store.js';
import { Fault } from '#src/errors/fault.js';
import { GetLogLevelsRequest, SetLogLevelsRequest } from '#src/gen/cinder/api/v3/services.js';
import type { LogLevel } from '#src/log/levels.js';
import { CONTEXT } from '../casts/rows.js';
import { sqliteStore } from '../support/sql.js';

/** Two schedulers, one of which has stopped, and three backends in two processes, two of them of a cluster. */
async function installed(store: Store): Promise<void> {
  const services = [
    ['cinder-scheduler', 'h1', null, 's1'],
    ['cinder-scheduler', 'h2', null, 's2'],
    ['cinder-volume', 'h1@a', null, 'v1'],
    ['cinder-volume', 'h1@b', 'c@b', 'v1'],
    ['cinder-volume', 'h2@b', 'c@b', 'v2'],
  ] as const;
  for (const [binary, host, clusterName, incarnation] of services) {
    const row = { id: `${binary} ${host}`, binary, host, clusterName, incarnation, availabilityZone: 'nova' };
    await store.apply([putService({ ...row, rpcVersion: '3.0', objectVersion: '1.39' })]);
  }
  await store.apply([stopServices('s2')]);
}

async function logging(store: Store, failing: Readonly<Record<string, Error>> = {}) {
  await installed(store);
  const asked: string[] = [];
  const client = (binary: string): LogClient => {
    const ask = async (target: string): Promise<void> => {
      asked.push(`${binary} ${target}`);
      if (failing[target]) throw failing[target];
    };
    return {
      setLogLevels: (_context, _request, { target }) => ask(target),
      getLogLevels: async (_context, { prefix }, { target }) => {
        await ask(target);
        return [{ prefix: `${prefix}volume`, level: 'INFO' }];
      },
    };
  };
  const ours = new Map<string, LogLevel>([['cinder', 'info']]);
  const parts = {
    ...{ store, downAfterMs: 60_000, host: 'h1', scheduler: client('scheduler'), volume: client('volume') },
    logLevels: { levels: () => ours, setLevels: (_prefix: string, level: LogLevel) => void ours.set('cinder', level) },
  };
  const call = {
    context: { ...CONTEXT, roles: ['admin'] },
    deadline: Date.now() + 60_000,
    signal: new AbortController().signal,
  };
  return {
    asked,
    ours,
    get: (request: Partial<GetLogLevelsRequest> = {}) => getLogLevels(parts)(GetLogLevelsRequest.create(request), call),
    set: (request: Partial<SetLogLevelsRequest>) => setLogLevels(parts)(SetLogLevelsRequest.create(request), call),
  };
}

test('every service that is up is meant, each process is asked once, and this one sets its own', async (t) => {
  const { set, asked, ours } = await logging(await sqliteStore(t));
  const { changed, unreached } = await set({ level: 'Warning' });
  t.deepEqual(
    changed.map(({ binary, host }) => `${binary} ${host}`),
    ['cinder-api h1', 'cinder-scheduler h1', 'cinder-volume h1@a', 'cinder-volume h1@b', 'cinder-volume h2@b'],
  );
  t.deepEqual(unreached, []);
  t.deepEqual(asked, ['scheduler h1', 'volume h1@a', 'volume h2@b']);
  t.is(ours.get('cinder'), 'warn');
});

test('a binary, a host, a backend or a cluster narrows who is meant', async (t) => {
  const { get } = await logging(await sqliteStore(t));
  const meant = async (request: Partial<GetLogLevelsRequest>): Promise<string[]> =>
    (await get(request)).services.map(({ binary, host }) => `${binary.slice(7)} ${host}`);
  t.deepEqual(await meant({ binary: '*', server: 'h1' }), ['api h1', 'scheduler h1', 'volume h1@a', 'volume h1@b']);
  t.deepEqual(await meant({ server: 'h1@b' }), ['volume h1@b']);
  t.deepEqual(await meant({ server: 'c' }), ['volume h1@b', 'volume h2@b']);
  t.deepEqual(await meant({ binary: 'cinder-scheduler' }), ['scheduler h1']);
  t.deepEqual(await meant({ binary: 'cinder-api' }), ['api h1']);
  t.deepEqual(await meant({ binary: 'cinder-api', server: 'h2' }), []);
  t.deepEqual(await meant({ server: 'nowhere' }), []);
});

test('what parts say is the prefix’s business', async (t) => {
  const { get } = await logging(await sqliteStore(t));
  const { services } = await get({ binary: 'cinder-volume', server: 'h2', prefix: 'cinder.' });
  t.deepEqual(services, [{ binary: 'cinder-volume', host: 'h2@b', levels: new Map([['cinder.volume', 'INFO']]) }]);
});

test('who cannot be asked is named with the reason, and the others’ answers are kept', async (t) => {
  const gone = new Fault('ServiceUnavailable', { service: 'cinder-volume', reason: 'it does not answer' });
  const { get, set } = await logging(await sqliteStore(t), { 'h1@a': gone });
  const read = await get({ binary: 'cinder-volume' });
  t.deepEqual(
    [read.services.map(({ host }) => host), read.unreached.map(({ host }) => host)],
    [['h2@b'], ['h1@a', 'h1@b']],
  );
  const written = await set({ level: 'INFO', binary: 'cinder-volume' });
  t.deepEqual(
    written.unreached.map(({ host, reason }) => [host, reason]),
    [
      ['h1@a', gone.message],
      ['h1@b', gone.message],
    ],
  );
  t.deepEqual(
    written.changed.map(({ host }) => host),
    ['h2@b'],
  );
});

test('a service that is too old to be asked is an error that names the versions', async (t) => {
  const facts = { binary: 'cinder-volume', method: 'SetLogLevels', needs: '3.12', cap: '3.11' };
  const { set } = await logging(await sqliteStore(t), { 'h1@a': new Fault('ServiceTooOld', facts) });
  await t.throwsAsync(set({ level: 'INFO' }), { name: 'ServiceTooOld', message: /SetLogLevels.*3\.12.*3\.11/ });
});

test('every bad field is named, and nobody is asked', async (t) => {
  const { set, get, asked } = await logging(await sqliteStore(t));
  const bad = { binary: 'cinder-backup', server: 'x'.repeat(256), prefix: '\u0000' };
  const fields = async (ask: Promise<unknown>): Promise<string[]> => {
    const error = await t.throwsAsync<Error & { facts: { violations: readonly { field: string }[] } }>(ask);
    return error.facts.violations.map(({ field }) => field);
  };
  t.deepEqual(await fields(set({ ...bad, level: 'TRACE' })), ['level', 'binary', 'server', 'prefix']);
  t.deepEqual(await fields(get(bad)), ['binary', 'server', 'prefix']);
  t.deepEqual(asked, []);
});
