import { readFileSync } from 'node:fs';
import type { DescMethod } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt';
import { type Config, SCHEMA } from '../config/schema.js';
import type { Log } from '../log/log.js';
import { CachedRead } from '../rpc/cached-read.js';
import type { FlowListener } from '../flow/listeners.js';
import type { Descriptors } from '../rpc/descriptors.js';
import type { CallObserver } from '../rpc/interceptors/observe.js';
import type { TraceCall } from '../rpc/interceptors/trace.js';
import { type HttpListener, listenHttp, type Page } from '../telemetry/http-server.js';
import { createMetrics, type Metrics } from '../telemetry/metrics.js';
import { ProcessReadiness } from '../telemetry/readiness.js';
import type { Tracer } from '../telemetry/tracer.js';
import { requestLog } from './request-log.js';
import { traceCalls, traceFlows } from './traces.js';

/** What servers and clients tell of calls. */
export interface CallTelemetry {
  readonly observer: CallObserver;
  readonly trace?: TraceCall;
}

/** What a process tells its operators beside its log. */
export interface Telemetry {
  readonly metrics: Metrics;
  readonly readiness: ProcessReadiness;
  /** Undefined: traces are off, and what makes them is not even loaded. */
  readonly tracer: Tracer | undefined;
  /** Of the public server: counts and traces, and writes a line for each request. */
  readonly publicServer: CallTelemetry;
  readonly internalServer: CallTelemetry;
  /** Of the clients of other services. */
  readonly clients: CallTelemetry;
  /** Traces flows. */
  readonly listeners: readonly FlowListener[];
  /** Where metrics and health are, `address:port`; undefined: nowhere. */
  readonly address: string | undefined;
  /** Ends it; the last thing that a process does. Safe to repeat. */
  close(): Promise<void>;
}

export interface TelemetryParts {
  readonly descriptors: Descriptors;
  /** Which run here, for traces. @default nobody says */
  readonly services?: readonly string[];
  /** Where finished requests are noted. @default the log of the rest */
  readonly requests?: Log;
}

/** Begins to measure, and to answer probes and scrapers. Throws when `metrics_listen` names an address that is taken. */
export async function startTelemetry(
  config: Config,
  log: Log,
  { descriptors, services = [], requests = log }: TelemetryParts,
): Promise<Telemetry> {
  const version = productVersion();
  const metrics = createMetrics({
    version,
    streaming: paths(descriptors, ({ methodKind }) => methodKind === 'server_streaming'),
  });
  const readiness = new ProcessReadiness();
  const listener = await listen(config.metricsListen, metrics, readiness, log).catch((error: unknown) => {
    metrics.close();
    throw error;
  });
  const tracer = config.otlpEndpoint
    ? await tracing(config, { version, services, log, endpoint: config.otlpEndpoint })
    : undefined;
  const logged = requestLog(
    requests,
    paths(descriptors, ({ idempotency }) => idempotency === Idempotency.NO_SIDE_EFFECTS),
  );
  return {
    metrics,
    readiness,
    tracer,
    publicServer: {
      observer: {
        started: (path) => metrics.server.started(path),
        handled(path, code, elapsedMs, caller) {
          metrics.server.handled(path, code, elapsedMs);
          logged(path, code, elapsedMs, caller);
        },
      },
      ...(tracer && { trace: traceCalls(tracer, 'server', true) }),
    },
    internalServer: { observer: metrics.server, ...(tracer && { trace: traceCalls(tracer, 'server', false) }) },
    clients: { observer: metrics.client, ...(tracer && { trace: traceCalls(tracer, 'client', false) }) },
    listeners: tracer ? [traceFlows(tracer)] : [],
    address: listener?.address,
    async close() {
      await listener?.close();
      await tracer?.close();
      metrics.close();
    },
  };
}

/** Loads OpenTelemetry, which nobody pays for who does not use it. */
async function tracing(
  { traceSampleRatio, host }: Config,
  parts: {
    readonly endpoint: string;
    readonly version: string;
    readonly services: readonly string[];
    readonly log: Log;
  },
): Promise<Tracer> {
  const { endpoint, version, services, log } = parts;
  const { openTelemetry } = await import('../telemetry/open-telemetry.js');
  return openTelemetry({
    ...{ endpoint, version, host },
    sampleRatio: traceSampleRatio,
    serviceName: services.length === 1 ? `cinder-${services.join('')}` : 'cinder-grpc',
    onLost: (error) => log.warn('traces are lost: they cannot be sent', { endpoint, error }),
  });
}

/** Where it listens unless the configuration says otherwise. */
const DEFAULT_ADDRESS = SCHEMA.metricsListen.defaultText;

/**
 * Two processes on one host must not stop each other over a default that nobody chose: then one of them goes without. An
 * address that was chosen and is taken is an error.
 */
async function listen(
  address: string,
  { registry }: Metrics,
  readiness: ProcessReadiness,
  log: Log,
): Promise<HttpListener | undefined> {
  if (address === 'off') return undefined;
  // some metrics are read from the database: scrapers, however many, ask it once a second
  const printed = new CachedRead(() => registry.metrics(), { what: 'metrics', maxAgeMs: 1_000, timeoutMs: 5_000 });
  try {
    const listener = await listenHttp({
      address,
      pages: {
        '/healthz': () => json(200, { alive: true }),
        async '/readyz'() {
          const report = await readiness.report();
          return json(report.ready ? 200 : 503, report);
        },
        '/metrics': async () => ({ status: 200, contentType: registry.contentType, body: await printed.get() }),
      },
      onError: (path, error) => log.error('a page could not be made', { path, error }),
    });
    log.info('metrics and health are served', { url: `http://${listener.address}/metrics` });
    return listener;
  } catch (cause) {
    const reason = `metrics_listen: ${address} cannot be listened at (${cause instanceof Error ? cause.message : String(cause)})`;
    const advice = 'Give this process an address of its own, or `off`.';
    if (address !== DEFAULT_ADDRESS) throw new Error(`${reason}. ${advice}`, { cause });
    log.error('this process shows no metrics and no health', { reason, advice });
    return undefined;
  }
}

function json(status: number, value: object): Page {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}

/** `/package.Service/Method` of the methods that are so. */
function paths({ registry }: Descriptors, isSo: (method: DescMethod) => boolean): ReadonlySet<string> {
  const methods = [...registry.files].flatMap(({ services }) => services.flatMap((service) => service.methods));
  return new Set(methods.filter(isSo).map(({ parent, name }) => `/${parent.typeName}/${name}`));
}

/** Of this package. */
function productVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}
