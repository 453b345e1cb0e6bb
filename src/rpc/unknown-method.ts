import type { Server, ServerDuplexStream } from '@grpc/grpc-js';

type Handle = (call: ServerDuplexStream<Buffer, Buffer>, path: string) => void;

/**
 * Gives paths that no service has a handler of their own, so that they too are answered with details. grpc-js 1.14 has no
 * hook for it and answers with a bare status from its table of handlers, a Map that this replaces. May go as soon as it has
 * one; the test of unknown methods fails if the table is renamed.
 */
export function answerUnknownMethods(server: Server, handle: Handle): void {
  const table = server as unknown as { handlers: Map<string, unknown> }; // private in its types
  table.handlers = new HandlersForAll(table.handlers, handle);
}

class HandlersForAll extends Map<string, unknown> {
  readonly #handle: Handle;

  constructor(known: Iterable<[string, unknown]>, handle: Handle) {
    super(known);
    this.#handle = handle;
  }

  override get(path: string): unknown {
    const identity = (bytes: Buffer): Buffer => bytes;
    // a stream's handler is called before the request is read, whatever its kind
    return (
      super.get(path) ?? {
        path,
        type: 'bidi',
        func: (call: ServerDuplexStream<Buffer, Buffer>) => this.#handle(call, path),
        serialize: identity,
        deserialize: identity,
      }
    );
  }
}
