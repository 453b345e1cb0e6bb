import type { ReceiverOptions } from '../casts/receiver.js';
import type { SenderOptions } from '../casts/sender.js';
import type { Run } from '../flow/flow.js';
import type { FlowListener } from '../flow/listeners.js';
import type { TraceCall } from '../rpc/interceptors/trace.js';
import type { Span, Tracer } from '../telemetry/tracer.js';

/**
 * Spans of calls. A public server begins traces; internal calls are only traced as part of one, or the capability reports
 * would be all that is seen.
 */
export function traceCalls(tracer: Tracer, kind: 'server' | 'client', beginsTraces: boolean): TraceCall {
  return (path, parent, requestId) => {
    if (parent === '' && !beginsTraces) return undefined;
    const name = path.slice(1);
    const span = tracer.start({
      name,
      kind,
      parent,
      attributes: { 'rpc.system.name': 'grpc', 'rpc.method': name, 'cinder.request_id': requestId },
    });
    return {
      traceparent: span.traceparent,
      end: (code) =>
        span.end({
          attributes: { 'rpc.response.status_code': code },
          // a caller's mistake is no error of the server. Rule: OpenTelemetry semantic conventions, gRPC
          failed: code === 'OK' || (kind === 'server' && !SERVERS_OWN.has(code)) ? undefined : code,
        }),
    };
  };
}

const SERVERS_OWN: ReadonlySet<string> = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
]);

/** Spans of a run: one of the flow, and one of each task and of each revert. */
export function traceFlows(tracer: Tracer): FlowListener {
  const open = new WeakMap<Run, { readonly flow: Span; task: Span | undefined }>();
  return (run, transition) => {
    if (transition.kind === 'flow' && transition.state === 'RUNNING') {
      const flow = tracer.start({
        name: run.flow,
        kind: 'internal',
        parent: run.traceparent,
        attributes: {
          'cinder.request_id': run.requestId,
          ...(run.projectId && { 'cinder.project_id': run.projectId }),
          ...(run.resourceId && { 'cinder.resource_id': run.resourceId }),
        },
      });
      open.set(run, { flow, task: undefined });
      return;
    }
    const spans = open.get(run);
    if (!spans) return;
    const failed = 'error' in transition ? nameOf(transition.error) : undefined;
    if (transition.kind === 'flow') {
      spans.flow.end({ failed, attributes: { 'cinder.state': transition.state } });
      return;
    }
    const { task, state } = transition;
    if (state === 'RUNNING' || state === 'REVERTING') {
      const name = state === 'RUNNING' ? task : `revert ${task}`;
      spans.task = tracer.start({ name, kind: 'internal', parent: spans.flow.traceparent });
    } else {
      spans.task?.end({ failed });
    }
  };
}

/** Sends beyond these are told only when somebody takes the cast: while nobody is there, they are all alike. */
const SENDS_TOLD = 3;

/** Spans of casts as they are sent: what the receiver does is part of the send that it took. */
export function traceSends(tracer: Tracer): NonNullable<SenderOptions['begin']> {
  return ({ message: { binary, method }, resourceId, context, sends }) => {
    const span = tracer.start({
      name: `send ${method}`,
      kind: 'producer',
      parent: context.traceparent,
      attributes: messaging('send', binary, resourceId, context.requestId),
    });
    return {
      traceparent: span.traceparent,
      ended(how) {
        const isTaken = how === 'claimed';
        if (!isTaken && sends > SENDS_TOLD) return;
        span.end({ failed: isTaken ? undefined : how, attributes: { 'cinder.outcome': how, 'cinder.sends': sends } });
      },
    };
  };
}

/** Spans of the work that casts ask for. */
export function traceWork(tracer: Tracer, binary: ReceiverOptions['binary']): NonNullable<ReceiverOptions['begin']> {
  return ({ method, resourceId, context, claims, resumed }) => {
    const span = tracer.start({
      name: `process ${method}`,
      kind: 'consumer',
      parent: context.traceparent,
      attributes: {
        ...messaging('process', binary, resourceId, context.requestId),
        'cinder.claims': claims,
        'cinder.resumed': resumed,
      },
    });
    return {
      traceparent: span.traceparent,
      ended: (how, error) =>
        span.end({ failed: error === undefined ? undefined : nameOf(error), attributes: { 'cinder.outcome': how } }),
    };
  };
}

function messaging(operation: 'send' | 'process', binary: string, resourceId: string, requestId: string) {
  return {
    'messaging.system': 'cinder',
    'messaging.operation.type': operation,
    'messaging.destination.name': binary,
    'cinder.resource_id': resourceId,
    'cinder.request_id': requestId,
  };
}

/** Names, not messages: those may quote what a user wrote. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
