import { readFileSync } from 'node:fs';
import type { DescMethod } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt';
import { type Config, SCHEMA } from '../config/schema.js';
import type { Log } from '../log/log.js';
import { CachedRead } from '../rpc/cached-read.js';
import type { Descriptors } from '../rpc/descriptors.js';
import type { CallObserver } from '../rpc/interceptors/observe.js';
import { type HttpListener, listenHttp, type Page } from '../telemetry/http-server.js';
import { createMetrics, type Metrics } from '../telemetry/metrics.js';
import { ProcessReadiness } from '../telemetry/readiness.js';
import { requestLog } from './request-log.js';

/** What a process tells its operators beside its log. */
export interface Telemetry {
  readonly metrics: Metrics;
  readonly readiness: ProcessReadiness;
  /** Of the public server: counts, and writes a line for each request. */
  readonly publicCalls: CallObserver;
  /** Of the internal servers. */
  readonly internalCalls: CallObserver;
  /** Of the clients of other services. */
  readonly clientCalls: CallObserver;
  /** Where metrics and health are, `address:port`; undefined: nowhere. */
  readonly address: string | undefined;
  /** Ends it; the last thing that a process does. Safe to repeat. */
  close(): Promise<void>;
}

/** Begins to measure, and to answer probes and scrapers. Throws when `metrics_listen` names an address that is taken. */
export async function startTelemetry(config: Config, log: Log, descriptors: Descriptors): Promise<Telemetry> {
  const metrics = createMetrics({
    version: productVersion(),
    streaming: paths(descriptors, ({ methodKind }) => methodKind === 'server_streaming'),
  });
  const readiness = new ProcessReadiness();
  const listener = await listen(config.metricsListen, metrics, readiness, log).catch((error: unknown) => {
    metrics.close();
    throw error;
  });
  const logged = requestLog(
    log,
    paths(descriptors, ({ idempotency }) => idempotency === Idempotency.NO_SIDE_EFFECTS),
  );
  return {
    metrics,
    readiness,
    publicCalls: {
      started: (path) => metrics.server.started(path),
      handled(path, code, elapsedMs, caller) {
        metrics.server.handled(path, code, elapsedMs);
        logged(path, code, elapsedMs, caller);
      },
    },
    internalCalls: metrics.server,
    clientCalls: metrics.client,
    address: listener?.address,
    async close() {
      await listener?.close();
      metrics.close();
    },
  };
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
