/**
 * An error of a peer that our catalogue does not know: a newer peer's, or the transport's. Keeps code and message.
 * Rule: oslo_messaging/rpc/client.py, `RemoteError`.
 */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';

  constructor(
    message: string,
    /** gRPC's status code, by name, e.g. `UNAVAILABLE`. */
    readonly code: string,
    /** The reason of its `google.rpc.ErrorInfo`; empty when it has none. */
    readonly reason: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}
