import { Metadata, type sendUnaryData } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { Fault, isFault } from '#src/errors/fault.js';
import { Pool, SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { CLAIMED } from '#src/rpc/casts.js';
import type { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import type { WireMethod } from '#src/rpc/channels.js';
import { callLocally } from '#src/rpc/local-call.js';
import { LocalPeers } from '#src/rpc/local-peers.js';
import type { RawUnaryCall } from '#src/rpc/server-call.js';
import type { VersionedClientOptions } from '#src/rpc/versioned-client.js';
import type { InternalCall, InternalServerOptions } from '#src/rpc/versioned-server.js';
import { row } from '../support/casts.js';
import {
  context,
  Installation,
  milestone,
  RecordingDispatcher,
  schedulerClient,
  schedulerServer,
  until,
} from '../support/rpc.js';

type ServerOptions = Partial<InternalServerOptions<typeof SchedulerManagerService>>;

const NOTICE = { serviceName: 'volume', backend: 'h@b', capabilities: { free: 1 }, timestamp: new Date(1_000) };
/** Where nobody listens: who is reached all the same was reached without a connection. */
const NOWHERE = { address: '127.0.0.1:1' };

interface Way {
  readonly name: string;
  readonly client: SchedulerClient;
  readonly installation: Installation;
  readonly stop: () => Promise<void>;
}

/** A client and a server that meet over a connection, and another such pair that meets in the process. */
async function bothWays(
  t: ExecutionContext,
  server: () => ServerOptions,
  client: Partial<VersionedClientOptions> = {},
): Promise<readonly [Way, Way]> {
  const way = async (name: string, isLocal: boolean): Promise<Way> => {
    const installation = new Installation();
    const peers = new LocalPeers();
    const listening = await schedulerServer(t, { ...server(), local: { peers, incarnation: 'host-1-0' } });
    installation.add(isLocal ? NOWHERE : listening, '3.12');
    const options = { ...client, ...(isLocal && { local: peers }) };
    return {
      ...{ name, installation, client: schedulerClient(t, installation, options) },
      stop: () => listening.stop(1_000),
    };
  };
  return [await way('over a connection', false), await way('within the process', true)];
}

/** What a call came to; of a fault its name, its facts and its words. */
async function cameTo(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (!isFault(error)) return error instanceof Error ? `${error.name}: ${error.message}` : error;
    // every call has an id of its own
    const text = JSON.stringify([error.name, error.facts, error.message]).replaceAll(/req-[\w-]+/g, 'req-…');
    const [name, facts, message] = JSON.parse(text) as unknown[];
    return { name, facts, message };
  }
}

/** The same call in both ways comes to the same. Returns what it came to. */
async function alike(
  t: ExecutionContext,
  [connected, local]: readonly [Way, Way],
  call: (client: SchedulerClient) => Promise<unknown>,
): Promise<unknown> {
  const outcome = await cameTo(call(connected.client));
  t.deepEqual(await cameTo(call(local.client)), outcome);
  return outcome;
}

test('a server sees the same call, whichever way it came', async (t) => {
  const seen: unknown[] = [];
  const ways = await bothWays(t, () => ({
    handlers: {
      notifyServiceCapabilities: async (request, { context: whose, target, version }: InternalCall) => {
        seen.push({ request, whose, target, version });
        return {};
      },
    },
  }));
  await alike(t, ways, (client) => client.notifyServiceCapabilities(context, NOTICE));
  t.is(seen.length, 2);
  t.like(seen[1], { whose: context, version: '3.5' });
  t.deepEqual(seen[1], seen[0]);
});

test('casts come to the same dispatcher as the same casts, and each has its outcome', async (t) => {
  const dispatchers: RecordingDispatcher[] = [];
  const ways = await bothWays(t, () => {
    const casts = new RecordingDispatcher();
    dispatchers.push(casts);
    return { casts, owns: (target) => target !== 'h@elsewhere' };
  });
  const casts = [row('v1'), { ...row('v2'), target: 'h@elsewhere' }, row('v3')];
  const outcomes = await alike(t, ways, (client) => client.deliver(casts));
  t.deepEqual(
    (outcomes as { readonly outcome: string }[]).map(({ outcome }) => outcome),
    ['claimed', 'refused', 'claimed'],
  );
  t.deepEqual(dispatchers[1]?.casts, dispatchers[0]?.casts);
  t.is(dispatchers[1]?.casts.length, 2);
});

test('an older server gets the older form, and is believed when it refuses', async (t) => {
  const versions: string[] = [];
  const ways = await bothWays(t, () => ({
    rpcVersion: '3.2',
    handlers: {
      notifyServiceCapabilities: async (request, { version }) => {
        versions.push(`${version} ${request.host} ${request.backend}`);
        return {};
      },
    },
  }));
  await alike(t, ways, (client) => client.notifyServiceCapabilities(context, NOTICE));
  t.deepEqual(versions, ['3.1 h@b undefined', '3.1 h@b undefined']);
});

test('faults, refusals and errors that nobody foresaw arrive alike', async (t) => {
  const reported: string[] = [];
  const ways = await bothWays(t, () => ({
    report: (error) => void reported.push(String(error)),
    handlers: {
      getPools: async () => Promise.reject(new Fault('VolumeNotFound', { volumeId: 'v1' })),
      workCleanup: async () => Promise.reject(new Error('a bug')),
    },
  }));
  const request = { clusterName: undefined } as never;
  t.like(await alike(t, ways, (client) => client.getPools(context, new Map())), { name: 'VolumeNotFound' });
  t.like(await alike(t, ways, (client) => client.workCleanup(context, request)), { name: 'Internal' });
  t.deepEqual(reported, ['Error: a bug', 'Error: a bug']);
  t.like(await alike(t, ways, (client) => client.doCleanup(context, request)), { name: 'NotBuilt' });
});

test('a method that the server does not know is refused with its version', async (t) => {
  const methods = Object.entries(SchedulerManagerService).filter(([name]) => name !== 'getPools');
  const definition = Object.fromEntries(methods) as unknown as typeof SchedulerManagerService;
  const ways = await bothWays(t, () => ({ definition }));
  t.like(await alike(t, ways, (client) => client.getPools(context, new Map())), { name: 'NoSuchMethod' });
});

test('who does not know the secret is refused within the process too', async (t) => {
  const ways = await bothWays(t, () => ({ secret: 'sixteen characters' }), { secret: 'another, of as many' });
  t.like(await alike(t, ways, (client) => client.getPools(context, new Map())), { name: 'NotAuthenticated' });
});

test('a message beyond the limit is refused, and of several casts only the one that is too large', async (t) => {
  const ways = await bothWays(t, () => ({ casts: new RecordingDispatcher() }), { maxMessageBytes: 4_096 });
  const large = new Map([['capability', 'x'.repeat(5_000)]]);
  t.regex(String(await alike(t, ways, (client) => client.getPools(context, large))), /larger than/);
  const casts = [row('v1'), row('v2', Buffer.alloc(5_000)), row('v3')];
  const outcomes = (await alike(t, ways, (client) => client.deliver(casts))) as { readonly reason: string }[];
  t.deepEqual(
    outcomes.map(({ reason }) => reason),
    ['', 'RESOURCE_EXHAUSTED', ''],
  );
});

test('an answer beyond the limit fails the call alone', async (t) => {
  const pools = [Pool.fromPartial({ name: 'x'.repeat(5_000), capabilities: {} })];
  const ways = await bothWays(t, () => ({ handlers: { getPools: async () => ({ pools }) } }), {
    maxMessageBytes: 4_096,
  });
  const ask = (client: SchedulerClient) => client.getPools(context, new Map());
  t.regex(String(await alike(t, ways, ask)), /Received message larger than max/);
  t.regex(String(await alike(t, ways, ask)), /Received message larger than max/, 'and so does the next');
});

test('a message that cannot be written or read ends its call, not the process', async (t) => {
  const echo = { handlerOf: () => (call: RawUnaryCall, respond: sendUnaryData<Buffer>) => respond(null, call.request) };
  const ended = (way: Partial<WireMethod<string, string>>): Promise<string> =>
    new Promise((resolve) => {
      const method = { path: '/s/M', serialize: (text: string) => Buffer.from(text), deserialize: String, ...way };
      const call = { metadata: new Metadata(), deadline: Date.now() + 5_000, maxMessageBytes: 4_096 };
      callLocally(echo, method, 'text', call, (error, response) => resolve(error?.message ?? response ?? ''));
    });
  const broken = (): never => {
    throw new Error('not today');
  };
  t.is(await ended({}), 'text');
  t.is(await ended({ serialize: broken }), '13 INTERNAL: Request message serialization failure: not today');
  t.is(await ended({ deserialize: broken }), '13 INTERNAL: Response message parsing error: not today');
});

test('at the deadline the caller goes on, and the handler learns of it', async (t) => {
  const reasons: unknown[] = [];
  const ways = await bothWays(t, () => ({
    handlers: {
      getPools: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push((signal.reason as Fault).name);
            reject(signal.reason as Fault);
          });
        }),
    },
  }));
  // long enough for a slow machine to begin
  const deadline = (): number => Date.now() + 1_500;
  t.like(await alike(t, ways, (client) => client.getPools(context, new Map(), { deadline: deadline() })), {
    name: 'DeadlineExceeded',
  });
  await until('both handlers know', () => reasons.length === 2);
  // over a connection the caller's own end of the call may come first
  t.true(reasons.every((reason) => reason === 'DeadlineExceeded' || reason === 'Cancelled'));
  const [, local] = ways;
  const past = { deadline: Date.now() - 1 };
  t.like(await cameTo(local.client.getPools(context, new Map(), past)), { name: 'DeadlineExceeded' });
  t.is(reasons.length, 2, 'what is too late is not begun');
});

test('a caller that gives up is told so, and its handler too', async (t) => {
  const reasons: unknown[] = [];
  let begun = milestone();
  const ways = await bothWays(t, () => ({
    handlers: {
      getPools: (_, { signal }) => {
        begun.reach();
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push((signal.reason as Fault).name);
            reject(signal.reason as Fault);
          });
        });
      },
    },
  }));
  const givenUp = async (client: SchedulerClient): Promise<unknown> => {
    begun = milestone();
    const abort = new AbortController();
    const call = client.getPools(context, new Map(), { signal: abort.signal });
    await begun.reached;
    abort.abort();
    return call;
  };
  t.like(await alike(t, ways, givenUp), { name: 'Cancelled' });
  await until('both handlers know', () => reasons.length === 2);
  t.deepEqual(reasons, ['Cancelled', 'Cancelled']);
  const aborted = { signal: AbortSignal.abort() };
  t.like(await alike(t, ways, (client) => client.getPools(context, new Map(), aborted)), { name: 'Cancelled' });
});

test('observers and traces of both sides are told of a call within the process', async (t) => {
  const told: string[] = [];
  const note = (side: string) => ({
    started: (path: string) => void told.push(`${side} started ${path}`),
    handled: (path: string, code: string) => void told.push(`${side} ${code} ${path}`),
  });
  const parents: string[] = [];
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const [, local] = await bothWays(
    t,
    () => ({
      observer: note('server'),
      handlers: { getPools: async () => ({ pools: [] }) },
      trace: (_path, parent) => {
        parents.push(parent);
        return undefined;
      },
    }),
    { observer: note('client'), trace: () => ({ traceparent, end: (code) => void told.push(`span ${code}`) }) },
  );
  await local.client.getPools(context, new Map());
  const path = '/cinder.scheduler.v3.SchedulerManager/GetPools';
  t.deepEqual(told, [
    `client started ${path}`,
    `server started ${path}`,
    `server OK ${path}`,
    'span OK',
    `client OK ${path}`,
  ]);
  t.deepEqual(parents, [traceparent]);
});

test('a server that stops is called over its connection, which says that it is away', async (t) => {
  const [, local] = await bothWays(t, () => ({ casts: { deliver: async (casts) => casts.map(() => CLAIMED) } }));
  t.deepEqual(await local.client.deliver([row('v1')]), [CLAIMED]);
  await local.stop();
  t.like(await cameTo(local.client.deliver([row('v1')])), { name: 'ServiceUnavailable' });
});
