/** What a span stands for; the words are OpenTelemetry's. */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** One span to begin. */
export interface NewSpan {
  readonly name: string;
  readonly kind: SpanKind;
  /** W3C trace context of what it is part of; empty: it is the first of a trace. */
  readonly parent: string;
  /** Names after OpenTelemetry's conventions, or `cinder.…`; values of a few words. */
  readonly attributes?: Attributes;
}

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** One span under way. One that is never ended is never recorded. */
export interface Span {
  /** W3C trace context of what is part of it. */
  readonly traceparent: string;
  /** `failed`: what went wrong, a name or a code. */
  end(outcome?: { readonly failed?: string | undefined; readonly attributes?: Attributes }): void;
}

/** Records what happens, across services. Nothing here throws. */
export interface Tracer {
  start(span: NewSpan): Span;
  /** Sends what is recorded, in a bounded time, and ends. Safe to repeat. */
  close(): Promise<void>;
}

/** How traces are sent. */
export interface TracingOptions {
  /** OTLP over gRPC: `http://host:port`, or `https://…`. */
  readonly endpoint: string;
  /** Part of the traces that begin here and are recorded, 0 to 1; others decide for the traces that they began. */
  readonly sampleRatio: number;
  /** Of the product. */
  readonly version: string;
  /** `cinder-api`, …; `cinder-grpc` for a process with several. */
  readonly serviceName: string;
  readonly host: string;
  /** Told that spans were lost, at most once a minute. */
  readonly onLost: (error: unknown) => void;
}
