import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';

/** A span as it arrived. */
export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the first of its trace. */
  readonly parentId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A collector of traces (OTLP over gRPC) of this test's own, and what it got. */
export async function collectorFor(
  t: ExecutionContext,
): Promise<{ readonly endpoint: string; readonly spans: readonly SeenSpan[] }> {
  const spans: SeenSpan[] = [];
  const server = new Server();
  const asIs = (bytes: Buffer): Buffer => bytes;
  server.addService(
    {
      export: {
        path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
        requestStream: false,
        responseStream: false,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    },
    {
      export: (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) => {
        spans.push(...spansIn(call.request));
        respond(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  t.teardown(() => server.forceShutdown());
  return { endpoint: `http://127.0.0.1:${port}`, spans };
}

/** ExportTraceServiceRequest → resource_spans → scope_spans → spans. */
function spansIn(request: Uint8Array): SeenSpan[] {
  return all(request, 1)
    .flatMap((resourceSpans) => all(resourceSpans, 2))
    .flatMap((scopeSpans) => all(scopeSpans, 2))
    .map((span) => ({
      traceId: hex(all(span, 1)[0]),
      spanId: hex(all(span, 2)[0]),
      parentId: hex(all(span, 4)[0]),
      name: text(all(span, 5)[0]),
      kind: number(span, 6),
      attributes: Object.fromEntries(
        all(span, 9).map((pair) => [text(all(pair, 1)[0]), text(all(all(pair, 2)[0] ?? NONE, 1)[0])]),
      ),
    }));
}

const NONE = new Uint8Array();

/** The values of a field that has a length. */
function all(message: Uint8Array, field: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === field && type === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(type, number);
  }
  return found;
}

function number(message: Uint8Array, field: number): number {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [found, type] = reader.tag();
    if (found === field && type === WireType.Varint) return reader.uint32();
    reader.skip(type, found);
  }
  return 0;
}

const hex = (bytes: Uint8Array = NONE): string => Buffer.from(bytes).toString('hex');
const text = (bytes: Uint8Array = NONE): string => Buffer.from(bytes).toString();
