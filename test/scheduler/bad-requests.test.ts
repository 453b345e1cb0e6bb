import test from 'ava';
import { findVolume } from '#src/db/volumes.js';
import { isFault } from '#src/errors/fault.js';
import {
  ExplainPlacementRequest,
  ValidateHostCapacityRequest,
} from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { RequestSpec } from '#src/objects/request-spec.js';
import type { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { CONTEXT, everything, readyRow, type RowOptions } from '../casts/rows.js';
import { eventually } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';
import { installed } from './deciding.js';

const ASKED = {
  filters: [
    ...['AvailabilityZoneFilter', 'CapacityFilter', 'CapabilitiesFilter', 'DriverFilter', 'JsonFilter'],
    ...['SameBackendFilter', 'DifferentBackendFilter', 'InstanceLocalityFilter', 'IgnoreAttemptedHostsFilter'],
  ],
  weighers: ['GoodnessWeigher'],
};

const DEEP = 100_000;
const brackets = '['.repeat(DEEP) + ']'.repeat(DEEP);

/** One pool will do; the functions of the others cannot be evaluated, and the last one is worse for it. */
const BACKENDS = {
  'deep@b': { filter_function: `${'('.repeat(DEEP)}1${')'.repeat(DEEP)}` },
  'zero@b': { filter_function: 'volume.size / 0' },
  'inner@b': { filter_function: '__proto__.constructor' },
  'good@b': { goodness_function: '100', tier: 5 },
  'worse@b': { goodness_function: `${'-'.repeat(DEEP)}1`, tier: 5 },
};
const PLACED = 'good@b#p';

const hints = (of: Readonly<Record<string, string>>): RowOptions => ({
  filterProperties: { schedulerHints: new Map(Object.entries(of)) },
});
const hint = (name: string, json: string): RowOptions => ({
  filterProperties: { schedulerHints: new Map([[name, json]]) },
});
const spec = (requestSpec: Partial<RequestSpec>): RowOptions => ({ requestSpec });
const sized = (sizeGib: number): RowOptions =>
  spec({ volumeProperties: { sizeGib, metadata: new Map(), qosSpecs: new Map(), multiattach: false } });
const typed = (name: string, value: string): RowOptions =>
  spec({
    volumeType: {
      id: 't',
      name: 't',
      description: null,
      isPublic: true,
      qosSpecsId: null,
      extraSpecs: new Map([[name, value]]),
    },
  });
const tried = (numAttempts: number, ...backends: string[]): RowOptions => ({
  filterProperties: { schedulerHints: new Map(), retry: { numAttempts, backends, exc: ['\u0000'] } },
});

/** Requests, and where they end: in a pool, or in words for their owner. */
const REQUESTS: Readonly<Record<string, readonly [RowOptions, typeof PLACED | RegExp]>> = {
  'a hint with the name of a prototype': [hint('__proto__', '{"same_host": ["x"]}'), PLACED],
  'a hint with a name that every object has': [hint('constructor', '"x"'), PLACED],
  'a hint that is no JSON': [hint('same_host', '{'), /scheduler_hints\["same_host"\]: must be JSON/],
  'a hint nested a hundred thousand deep': [hint('different_host', brackets), /2 of 2 pools hold a volume/],
  'a hint of another kind': [hint('same_host', '{"__proto__": null}'), /hold none of the volumes/],
  'a server that is no UUID': [hint('local_to_instance', '"host1"'), /The operators find/],
  'a query nested a hundred thousand deep': [hint('query', JSON.stringify(brackets)), /The operators find/],
  'a query with a command that every object has': [hint('query', '"[\\"toString\\"]"'), /The operators find/],
  'a query that compares a number with a text': [
    hints({ query: JSON.stringify('["<", "$free_capacity_gb", "x"]') }),
    /The operators find/,
  ],
  'a query for what is inside of objects': [
    hints({ query: JSON.stringify('["=", "$__proto__.constructor.name", "Object"]') }),
    /not what the query asks for/,
  ],
  'an extra spec with the name of a prototype': [
    typed('__proto__', 'x'),
    /5 of 5 pools do not have what the volume type/,
  ],
  'an extra spec that is only an operator': [typed('tier', '<or>'), /The operators find/],
  'an extra spec that looks into a number': [typed('tier', '<in> 5'), /The operators find/],
  'an extra spec of a thousand scopes': [typed(`capabilities${':a'.repeat(1_000)}`, 'x'), /5 of 5 pools/],
  'a spec without a size': [sized(0), PLACED],
  'a spec with less than no size': [sized(-5), /size: must not be negative/],
  'a spec with the largest size there is': [sized(2_147_483_647), /do not have enough room/],
  'a spec without a type, for a place that nobody knows': [
    spec({ resourceBackend: '#@' }),
    /where the volume has to be/,
  ],
  'zones that are no names': [spec({ availabilityZones: ['', '\u0000'] }), /5 of 5 pools/],
  'a history of what never was': [tried(-2_147_483_648, '', '#', '@#@', '__proto__'), PLACED],
  'a history without end': [tried(2_147_483_647), /attempts to place volume .* have failed/],
  'bytes that are no request': [{ payload: Buffer.from([0xff, 0xff, 0xff]) }, /The operators find/],
  'no bytes': [{ payload: Buffer.alloc(0) }, /The operators find/],
};

for (const [what, [options, end]] of Object.entries(REQUESTS)) {
  test.serial(`${what}: the request ends alone, and the one beside it is placed`, async (t) => {
    const store = await sqliteStore(t);
    const { sender, free, handedOn } = await installed(t, store, BACKENDS, { names: ASKED });
    const bad = await readyRow(store, options);
    const beside = await readyRow(store);
    sender.send(bad);
    sender.send(beside);
    const endOf = async (id: string) => {
      const volume = await findVolume(store, { id });
      return volume?.host ?? volume?.statusReason ?? undefined;
    };
    await eventually('both are decided', async () => {
      return (await endOf(bad.resourceId)) !== undefined && (await endOf(beside.resourceId)) !== undefined;
    });

    t.is(await endOf(beside.resourceId), PLACED);
    const isPlaced = end === PLACED;
    if (isPlaced) t.is(await endOf(bad.resourceId), end);
    else t.regex((await endOf(bad.resourceId)) ?? '', end);
    const { messages } = await everything(store, bad.resourceId);
    t.is(messages.length, isPlaced ? 0 : 1, 'its owner is told once');
    t.is(free(PLACED), isPlaced ? 8 : 9, 'a volume of 1 GiB takes 1 GiB');
    t.is(handedOn.length, isPlaced ? 2 : 1);
  });
}

const NO_ROOM = { valid: false };

/** Calls, and how each ends: the fault's name, or the answer. */
const CALLS: Readonly<Record<string, readonly [(client: SchedulerClient) => Promise<unknown>, unknown]>> = {
  'room for a group, with hints that are no JSON': [(client) => room(client, hintOf('same_host', '{')), 'InvalidInput'],
  'room for a group, with hints nested too deep': [
    (client) => room(client, hintOf('different_host', brackets)),
    NO_ROOM,
  ],
  'room for a group, with a query that cannot be': [
    (client) => room(client, hintOf('query', JSON.stringify('["?"]'))),
    'UnusableCapability',
  ],
  'room for a group, of less than nothing': [(client) => room(client, {}, -1), 'InvalidInput'],
  'room for a group, nowhere': [(client) => room(client, {}, 1, ''), 'InvalidInput'],
  'room for a group, at a place that is no name': [(client) => room(client, {}, 1, '#@#'), NO_ROOM],
  'pools with a capability that every object has': [
    (client) => client.getPools(CONTEXT, new Map([['__proto__', 'x']])).then(({ pools }) => pools.length),
    0,
  ],
  'an explanation of nothing': [
    (client) => client.explainPlacement(CONTEXT, { requestSpec: undefined, filterProperties: undefined, limit: 1 }),
    'InvalidInput',
  ],
  'an explanation of hints nested too deep': [
    (client) => client.explainPlacement(CONTEXT, explanation('query', JSON.stringify(brackets))),
    'UnusableCapability',
  ],
};

const hintOf = (name: string, json: string) => ({ filterProperties: { schedulerHints: new Map([[name, json]]) } });

function room(client: SchedulerClient, more: object, size = 1, backend = 'good@b'): Promise<unknown> {
  const request = { backend, requestSpec: { volumeProperties: { size } }, ...more };
  return client.call('ValidateHostCapacity', CONTEXT, ValidateHostCapacityRequest.fromPartial(request));
}

function explanation(name: string, json: string): ExplainPlacementRequest {
  return ExplainPlacementRequest.fromPartial({
    requestSpec: { volumeProperties: { size: 1 } },
    ...hintOf(name, json),
  });
}

test('a call that makes no sense is answered by name, and the next one is answered too', async (t) => {
  const { client, free } = await installed(t, await sqliteStore(t), BACKENDS, { names: ASKED });
  for (const [what, [call, end]] of Object.entries(CALLS)) {
    const ended = await call(client).catch((error: unknown) => (isFault(error) ? error.name : error));
    t.deepEqual(ended, end, what);
  }
  t.is(free(PLACED), 10);
  t.deepEqual(await room(client, {}), { valid: true });
});
