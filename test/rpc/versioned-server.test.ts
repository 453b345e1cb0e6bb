import { status as Code } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { Fault } from '#src/errors/fault.js';
import { SchedulerManagerService as Scheduler } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { CastsService } from '#src/gen/cinder/rpc/v1/casts.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import type { InternalCall } from '#src/rpc/versioned-server.js';
import { type Answer, bareClient, callBare, MEBIBYTE, milestone, schedulerServer, until } from '../support/rpc.js';

const V30 = { 'cinder-rpc-version': '3.0' };
const NO_FILTERS = { filters: new Map<string, string>() };
const NOTICE = { serviceName: 'volume', host: 'h@b' };

function faultOf(t: ExecutionContext, { error }: Answer<unknown>): Fault {
  const fault = error && faultFromServiceError(error);
  if (!(fault instanceof Fault)) throw new Error(`not a fault: ${String(fault)}`);
  return fault;
}

test('a request without a version is refused with a message that names the header', async (t) => {
  const client = bareClient(t, await schedulerServer(t));
  const answer = await callBare(client, Scheduler.getPools, NO_FILTERS);
  t.is(answer.error?.code, Code.FAILED_PRECONDITION);
  t.true(answer.error?.details.includes("'cinder-rpc-version'"));
});

for (const version of ['3.13', '4.0', '2.0', 'new']) {
  test(`a message of version ${version} is refused with both versions named`, async (t) => {
    const client = bareClient(t, await schedulerServer(t, { handlers: { getPools: async () => ({ pools: [] }) } }));
    const answer = await callBare(client, Scheduler.getPools, NO_FILTERS, { 'cinder-rpc-version': version });
    t.is(answer.error?.code, Code.UNIMPLEMENTED);
    const fault = faultOf(t, answer);
    t.is(fault.reason, 'UNSUPPORTED_VERSION');
    t.like(fault.facts, { version, served: '3.12' });
  });
}

test('the server says its version with every answer, of whatever kind', async (t) => {
  const server = await schedulerServer(t, { rpcVersion: '3.9', handlers: { getPools: async () => ({ pools: [] }) } });
  const client = bareClient(t, server);
  const answers = [
    await callBare(client, Scheduler.getPools, NO_FILTERS, V30),
    await callBare(client, Scheduler.getPools, NO_FILTERS),
    await callBare(client, Scheduler.getPools, NO_FILTERS, { 'cinder-rpc-version': '3.12' }),
    await callBare(
      client,
      { ...Scheduler.getPools, path: '/cinder.scheduler.v3.SchedulerManager/Never' },
      NO_FILTERS,
      V30,
    ),
    await callBare(client, CastsService.deliver, { casts: [] }, V30),
  ];
  t.deepEqual(
    answers.map(({ error }) => error?.code),
    [undefined, Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED, Code.UNIMPLEMENTED, undefined],
  );
  for (const { metadata } of answers) t.deepEqual(metadata.get('cinder-rpc-server-version'), ['3.9']);
  for (const { metadata } of answers) t.regex(String(metadata.get('x-openstack-request-id')[0]), /^req-/);
});

test('an unknown method is NO_SUCH_METHOD, after its version was checked', async (t) => {
  const client = bareClient(t, await schedulerServer(t));
  const never = { ...Scheduler.getPools, path: '/cinder.scheduler.v3.SchedulerManager/Never' };
  const unknown = faultOf(t, await callBare(client, never, NO_FILTERS, V30));
  t.is(unknown.reason, 'NO_SUCH_METHOD');
  t.is(
    faultOf(t, await callBare(client, never, NO_FILTERS, { 'cinder-rpc-version': '3.99' })).reason,
    'UNSUPPORTED_VERSION',
  );
  t.is(
    faultOf(t, await callBare(client, { ...never, path: '/else.Where/At' }, NO_FILTERS, V30)).reason,
    'NO_SUCH_METHOD',
  );
});

test('a declared method without a handler is NOT_BUILT, after its version was checked', async (t) => {
  const client = bareClient(t, await schedulerServer(t, { rpcVersion: '3.9' }));
  t.is(faultOf(t, await callBare(client, Scheduler.getPools, NO_FILTERS, V30)).reason, 'NOT_BUILT');
  const tooNew = await callBare(client, Scheduler.getPools, NO_FILTERS, { 'cinder-rpc-version': '3.10' });
  t.is(faultOf(t, tooNew).reason, 'UNSUPPORTED_VERSION');
});

test('run as an older version, a server has neither the newer methods nor the newer fields', async (t) => {
  const seen: object[] = [];
  const handlers = { notifyServiceCapabilities: async (request: object) => (seen.push(request), {}) };
  const old = bareClient(t, await schedulerServer(t, { rpcVersion: '3.0', handlers }));
  t.is(faultOf(t, await callBare(old, Scheduler.notifyServiceCapabilities, NOTICE, V30)).reason, 'NO_SUCH_METHOD');
  const middle = bareClient(t, await schedulerServer(t, { rpcVersion: '3.4', handlers }));
  const notice = { ...NOTICE, backend: 'h@b', timestamp: new Date() };
  await callBare(middle, Scheduler.notifyServiceCapabilities, notice, { 'cinder-rpc-version': '3.1' });
  t.like(seen[0], { host: 'h@b', backend: undefined, timestamp: undefined });
});

test('the handler gets target, version and context; what is not there is empty', async (t) => {
  const calls: InternalCall[] = [];
  const server = await schedulerServer(t, {
    handlers: {
      getPools: async (_request, call) => {
        calls.push(call);
        return { pools: [] };
      },
    },
  });
  const client = bareClient(t, server);
  const headers = {
    'cinder-rpc-version': '3.7',
    'cinder-rpc-target': 'h@b',
    'x-project-id': 'p',
    'x-roles': 'a, b',
    'x-openstack-request-id': 'req-9',
  };
  await callBare(client, Scheduler.getPools, NO_FILTERS, headers);
  await callBare(client, Scheduler.getPools, NO_FILTERS, V30);
  t.like(calls[0], { version: '3.7', target: 'h@b' });
  t.deepEqual(calls[0]?.context, {
    requestId: 'req-9',
    projectId: 'p',
    userId: '',
    roles: ['a', 'b'],
    traceparent: '',
  });
  t.like(calls[1], { version: '3.0', target: '' });
});

test('a backend that is served elsewhere is NOT_MY_BACKEND', async (t) => {
  const server = await schedulerServer(t, {
    owns: (target) => target === 'h@mine',
    handlers: { getPools: async () => ({ pools: [] }) },
  });
  const client = bareClient(t, server);
  const call = (target: string): Promise<Answer<unknown>> =>
    callBare(client, Scheduler.getPools, NO_FILTERS, { ...V30, 'cinder-rpc-target': target });
  t.is((await call('h@mine')).error, undefined);
  t.like(faultOf(t, await call('h@other')), { reason: 'NOT_MY_BACKEND', facts: { target: 'h@other' } });
});

test('a server with a secret refuses those who do not know it, for unknown methods too', async (t) => {
  const server = await schedulerServer(t, {
    secret: 'correct horse',
    handlers: { getPools: async () => ({ pools: [] }) },
  });
  const client = bareClient(t, server);
  const never = { ...Scheduler.getPools, path: '/cinder.scheduler.v3.SchedulerManager/Never' };
  for (const method of [Scheduler.getPools, never]) {
    for (const secret of [{}, { 'cinder-rpc-secret': 'wrong' }]) {
      t.is((await callBare(client, method, NO_FILTERS, { ...V30, ...secret })).error?.code, Code.UNAUTHENTICATED);
    }
  }
  t.is(
    (await callBare(client, Scheduler.getPools, NO_FILTERS, { ...V30, 'cinder-rpc-secret': 'correct horse' })).error,
    undefined,
  );
});

test("the caller's deadline is the handler's, and passing it aborts the signal", async (t) => {
  let seen: InternalCall | undefined;
  const server = await schedulerServer(t, {
    handlers: {
      getPools: async (_request, call) => {
        if (!seen) {
          seen = call;
          return { pools: [] };
        }
        seen = call;
        await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
        return { pools: [] };
      },
    },
  });
  const client = bareClient(t, server);
  await callBare(client, Scheduler.getPools, NO_FILTERS, V30); // so that the connection is there
  const deadline = Date.now() + 300;
  const answer = await callBare(client, Scheduler.getPools, NO_FILTERS, V30, { deadline });
  t.is(answer.error?.code, Code.DEADLINE_EXCEEDED);
  await until('the signal is aborted', () => seen?.signal.aborted === true);
  t.true(Math.abs((seen?.deadline ?? 0) - deadline) < 100);
  t.true(seen?.signal.reason instanceof Fault);
});

test('a caller who cancels aborts the signal', async (t) => {
  let reason: unknown;
  const { reached, reach } = milestone();
  const server = await schedulerServer(t, {
    handlers: {
      getPools: (_request, { signal }) =>
        new Promise((resolve) => {
          reach();
          signal.addEventListener('abort', () => {
            reason = signal.reason;
            resolve({ pools: [] });
          });
        }),
    },
  });
  const answer = await callBare(bareClient(t, server), Scheduler.getPools, NO_FILTERS, V30, { cancelWhen: reached });
  t.is(answer.error?.code, Code.CANCELLED);
  await until('the signal is aborted', () => reason !== undefined);
  t.true(Fault.is(reason, 'Cancelled'));
});

test('a caller without a deadline is answered at the default one, though the handler never ends', async (t) => {
  const server = await schedulerServer(t, {
    limits: { defaultMs: 80, maxMs: 200 },
    handlers: { getPools: () => new Promise(() => undefined) },
  });
  const client = bareClient(t, server);
  const unlimited = await callBare(client, Scheduler.getPools, NO_FILTERS, V30, { deadline: Infinity });
  t.is(faultOf(t, unlimited).name, 'DeadlineExceeded');
  const begun = Date.now();
  const farAway = await callBare(client, Scheduler.getPools, NO_FILTERS, V30, { deadline: Date.now() + 3_600_000 });
  t.is(faultOf(t, farAway).name, 'DeadlineExceeded');
  t.true(Date.now() - begun < 2_000);
});

test('an unexpected error is INTERNAL with the request id; the real one is reported, and nothing of it leaks', async (t) => {
  const reported: unknown[] = [];
  const server = await schedulerServer(t, {
    report: (error, where) => reported.push([error, where]),
    handlers: { getPools: () => Promise.reject(new Error('password=hunter2')) },
  });
  const headers = { ...V30, 'x-openstack-request-id': 'req-1' };
  const answer = await callBare(bareClient(t, server), Scheduler.getPools, NO_FILTERS, headers);
  t.is(answer.error?.code, Code.INTERNAL);
  t.deepEqual(faultOf(t, answer).facts, { requestId: 'req-1' });
  t.false(JSON.stringify([answer.error?.details, answer.metadata.getMap()]).includes('hunter2'));
  t.like(reported, [[{ message: 'password=hunter2' }, { requestId: 'req-1' }]]);
});

test('a handler that throws at once is an error like any other', async (t) => {
  const server = await schedulerServer(t, {
    report: () => undefined,
    handlers: {
      getPools: () => {
        throw new Error('at once');
      },
    },
  });
  t.is((await callBare(bareClient(t, server), Scheduler.getPools, NO_FILTERS, V30)).error?.code, Code.INTERNAL);
});

test('bytes that are no request are the caller’s error', async (t) => {
  const server = await schedulerServer(t, { handlers: { getPools: async () => ({ pools: [] }) } });
  const garbage = { ...Scheduler.getPools, requestSerialize: () => Buffer.from([0x0a, 0xff, 0xff, 0xff]) };
  const answer = await callBare(bareClient(t, server), garbage, NO_FILTERS, V30);
  t.is(answer.error?.code, Code.INVALID_ARGUMENT);
});

test('a message over the limit is RESOURCE_EXHAUSTED', async (t) => {
  const client = bareClient(t, await schedulerServer(t, { handlers: { getPools: async () => ({ pools: [] }) } }));
  const filters = new Map([['name', 'x'.repeat(MEBIBYTE + 1)]]);
  const answer = await callBare(client, Scheduler.getPools, { filters }, V30);
  t.is(answer.error?.code, Code.RESOURCE_EXHAUSTED);
});

test('the observer is told of every call and of how it ended', async (t) => {
  const told: string[] = [];
  const server = await schedulerServer(t, {
    observer: {
      started: (path) => told.push(`started ${path}`),
      handled: (path, code) => told.push(`${code} ${path}`),
    },
    handlers: { getPools: async () => ({ pools: [] }) },
  });
  const client = bareClient(t, server);
  await callBare(client, Scheduler.getPools, NO_FILTERS, V30);
  await callBare(client, Scheduler.getPools, NO_FILTERS);
  const { path } = Scheduler.getPools;
  t.deepEqual(told, [`started ${path}`, `OK ${path}`, `started ${path}`, `FAILED_PRECONDITION ${path}`]);
});
