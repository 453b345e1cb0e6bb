import {
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind as Kind,
  type SpanContext,
  SpanStatusCode,
  trace,
  type Context,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { Span, SpanKind, Tracer, TracingOptions } from './tracer.js';

/** How long a process that ends waits for its last spans to be sent, ms. */
const FLUSH_MS = 3_000;
const EXPORT_TIMEOUT_MS = 5_000;
/** Spans that wait to be sent; what is more is lost, never memory. */
const MAX_QUEUE = 8_192;
const LOST_EVERY_MS = 60_000;

/**
 * Records with OpenTelemetry. This file is loaded when traces are on, and only then: its libraries cost a third of a second
 * and 15 MiB. Nothing is registered globally; the parent of a span is always said.
 */
export function openTelemetry(options: TracingOptions): Tracer {
  const { endpoint, sampleRatio, version, serviceName, host, onLost } = options;
  const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_TIMEOUT_MS });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': serviceName,
      'service.namespace': 'cinder-grpc',
      'service.version': version,
      'host.name': host,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [
      new BatchSpanProcessor(noisyWhenLost(exporter, onLost), {
        maxQueueSize: MAX_QUEUE,
        maxExportBatchSize: 512,
        scheduledDelayMillis: 1_000,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const tracer = provider.getTracer('cinder-grpc', version);
  let closed: Promise<void> | undefined;
  return {
    start({ name, kind, parent, attributes = {} }): Span {
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, contextOf(parent));
      return {
        traceparent: traceparentOf(span.spanContext()),
        end({ failed, attributes: more } = {}) {
          if (more) span.setAttributes(more);
          if (failed !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failed });
          span.end();
        },
      };
    },
    close: () => (closed ??= inTime(provider.shutdown())),
  };
}

const KINDS: Readonly<Record<SpanKind, Kind>> = {
  internal: Kind.INTERNAL,
  server: Kind.SERVER,
  client: Kind.CLIENT,
  producer: Kind.PRODUCER,
  consumer: Kind.CONSUMER,
};

/** Rule: W3C Trace Context, §3.2. */
function contextOf(traceparent: string): Context {
  const [, traceId = '', spanId = '', flags = '0'] = traceparent.split('-');
  const parent: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** The library drops what it cannot send without a word. */
function noisyWhenLost(exporter: SpanExporter, onLost: (error: unknown) => void): SpanExporter {
  let quietUntil = -Infinity;
  return {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        if (result.error && performance.now() >= quietUntil) {
          quietUntil = performance.now() + LOST_EVERY_MS;
          onLost(result.error);
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}

async function inTime(shutdown: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_MS)));
  try {
    await Promise.race([shutdown, late]);
  } catch {
    // what could not be sent was told already
  } finally {
    clearTimeout(timer);
  }
}
