import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import type { Transition } from '#src/flow/listeners.js';
import { flowLog } from '#src/main/flow-log.js';
import { recordingLog } from '../support/redis.js';

const RUN = {
  signal: new AbortController().signal,
  flow: 'volume_create_api',
  requestId: 'req-1',
  projectId: 'demo',
  resourceId: 'volume-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

/** A transition, and how loud it is. */
const LEVELS: readonly (readonly [what: string, transition: Transition, level: string])[] = [
  ['a task that begins', { kind: 'task', task: 'QuotaReserve', state: 'RUNNING' }, 'debug'],
  ['a flow that ends well', { kind: 'flow', state: 'SUCCESS' }, 'debug'],
  [
    'what its caller did wrong',
    { kind: 'task', task: 'QuotaReserve', state: 'FAILURE', error: new Fault('VolumeNotFound', { volumeId: 'v' }) },
    'debug',
  ],
  ['what nobody foresaw', { kind: 'task', task: 'EntryCreate', state: 'FAILURE', error: new Error('oh') }, 'warn'],
  ['what is in doubt', { kind: 'flow', state: 'IN_DOUBT', error: new Error('who knows') }, 'warn'],
  [
    'what could not be undone',
    { kind: 'task', task: 'EntryCreate', state: 'REVERT_FAILURE', error: new Error('oh') },
    'error',
  ],
];

for (const [what, transition, level] of LEVELS) {
  test(`${what} is logged as ${level}, under the request and the flow`, (t) => {
    const log = { ...recordingLog(), level: 'debug' as const };
    flowLog(log)(RUN, transition);
    t.is(log.lines.length, 1);
    t.is(log.lines[0]?.level, level);
    t.like(log.lines[0]?.fields, {
      flow: RUN.flow,
      requestId: RUN.requestId,
      projectId: 'demo',
      resourceId: 'volume-1',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      state: transition.state,
    });
  });
}
