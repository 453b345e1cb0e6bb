import { ServerInterceptingCall, type ServerInterceptor, status as Code } from '@grpc/grpc-js';

/**
 * Ends requests that are not there in full after `limitMs`: a deadline of the caller's own would do, but who trickles bytes
 * sets none, and handlers are called with whole requests only.
 */
export function wholeRequestsWithin(limitMs: number): ServerInterceptor {
  const late = { code: Code.DEADLINE_EXCEEDED, details: `The request was not there in full after ${limitMs} ms.` };
  return (method, call) => {
    if (method.requestStream) return new ServerInterceptingCall(call);
    let timer: NodeJS.Timeout | undefined;
    return new ServerInterceptingCall(call, {
      start(next) {
        timer = setTimeout(() => call.sendStatus(late), limitMs);
        next({
          onReceiveHalfClose(pass) {
            clearTimeout(timer);
            pass();
          },
          onCancel: () => clearTimeout(timer),
        });
      },
    });
  };
}
