import type { ReceiverOptions } from '../casts/receiver.js';
import { CastSender } from '../casts/sender.js';
import type { Config } from '../config/schema.js';
import { openStore } from '../db/open-store.js';
import { statement } from '../db/statement.js';
import type { Store } from '../db/store.js';
import type { FlowListener } from '../flow/listeners.js';
import type { LeveledLog } from '../log/log.js';
import { traceIdOf } from '../log/trace-id.js';
import { type Descriptors, readDescriptors } from '../rpc/descriptors.js';
import { callersObjectsIn, peersIn, registryIn } from '../rpc/discovery.js';
import type { Report } from '../rpc/interceptors/error.js';
import { LocalPeers } from '../rpc/local-peers.js';
import { SchedulerClient } from '../rpc/clients/scheduler-client.js';
import { VolumeClient } from '../rpc/clients/volume-client.js';
import { formatVersion } from '../rpc/version-number.js';
import type { VersionedClientOptions } from '../rpc/versioned-client.js';
import { readRules, type Rules } from '../rpc/versions.js';
import { flowLog } from './flow-log.js';
import type { CastMessage, ReadyWorker } from '../db/worker-row.js';
import { measuredStore } from './measured-store.js';
import { flowMetrics, readRecords, senderMetrics } from './observers.js';
import { Reloads } from './reload.js';
import { startTelemetry, type Telemetry } from './telemetry.js';
import { type Tls, tlsOf } from './tls.js';
import { objectVersionOf, pinFor, requireVersions, sayOfPin, versionLog } from './versions.js';
import { troubledStore } from './troubled-store.js';
import { wakingStore } from './waking-store.js';

/** What every service of a process stands on. */
export interface Foundation {
  readonly config: Config;
  readonly log: LeveledLog;
  readonly store: Store;
  readonly descriptors: Descriptors;
  readonly rules: Rules;
  readonly scheduler: SchedulerClient;
  readonly volume: VolumeClient;
  /** The internal servers that run here: they add themselves. */
  readonly local: LocalPeers;
  readonly sender: CastSender;
  /** Puts a cast into the words of this process, which may run as an older version. */
  readonly inOwnWords: (message: CastMessage) => CastMessage;
  /** The oldest entry of the object history among those who may call this process's services. */
  readonly callersObjects: () => Promise<string>;
  /** Told every transition of every flow. */
  readonly listeners: readonly FlowListener[];
  /** Told each claimed piece of work and how it ended. */
  readonly onWork: NonNullable<ReceiverOptions['onWork']>;
  /** Told every error that nobody foresaw. */
  readonly report: Report;
  /** Told each cast that is given up: nobody could or would do the work. Parts add themselves; they never throw. */
  readonly onGivenUp: Set<(cast: ReadyWorker) => void>;
  /** Who watches volumes in this process; set by the API. */
  readonly watchers: Watchers;
  /** What SIGHUP reads again; parts that can do so add themselves. */
  readonly reloads: Reloads;
  /** Certificates of this process's listeners, and of its calls to peers. */
  readonly tls: Tls;
  /** What operators are told beside the log. */
  readonly telemetry: Telemetry;
  /** Ends everything, the store last. */
  close(): Promise<void>;
}

/** Told what watchers want to know at once. */
export interface Watchers {
  /** Something was written. */
  wake: () => void;
}

/** What comes from outside beside the configuration. */
export interface FoundationExtras {
  /** Loads the configuration anew, for SIGHUP. @default the one that was given stays */
  readonly readConfig?: () => Config;
  /** Which services run here, for traces. @default nobody says */
  readonly services?: readonly string[];
  /** For tests: told every transition of every flow. @default nobody */
  readonly listeners?: readonly FlowListener[];
}

/** Opens the records and what talks about them; reads the protos' rules once. Throws when the database cannot be used. */
export async function foundation(config: Config, log: LeveledLog, extras: FoundationExtras = {}): Promise<Foundation> {
  const descriptors = readDescriptors();
  const rules = readRules(descriptors);
  requireVersions(rules, config);
  const reloads = new Reloads(log, config, extras.readConfig);
  reloads.add({ name: 'log level', options: ['logLevel'], reload: ({ logLevel }) => void (log.level = logLevel) });
  const tls = tlsOf(config, log, reloads);
  const watchers: Watchers = { wake: () => undefined };
  const telemetry = await startTelemetry(config, log, {
    descriptors,
    ...given('services', extras.services),
    requests: log.logger('cinder.request'),
  });
  const opened = await openStore(config.databaseUrl).catch(async (error: unknown) => {
    await telemetry.close();
    throw error;
  });
  const written = troubledStore(measuredStore(opened, telemetry.metrics));
  const store = wakingStore(written, () => watchers.wake());
  readRecords(telemetry.metrics, store);
  telemetry.readiness.add('sql', async () => {
    await store.read(anything.with({}));
    const { trouble } = written;
    return trouble === undefined ? { ready: true } : { ready: false, reason: trouble };
  });
  const rpcLog = log.logger('cinder.rpc');
  const castLog = log.logger('cinder.casts');
  const local = new LocalPeers();
  const clientOptions = (binary: string): VersionedClientOptions => ({
    rules,
    registry: registryIn(store),
    readPeers: peersIn(store, { downAfterMs: config.serviceDownTimeMs }),
    serviceTtlMs: config.serviceVersionTtlMs,
    timeoutMs: config.rpcResponseTimeoutMs,
    maxMessageBytes: config.maxInternalMessageBytes,
    ...given('rpcVersion', config.rpcVersion[binary]),
    objectVersion: formatVersion(objectVersionOf(config)),
    ...given('pin', config.rpcPins[binary]),
    ...given('secret', config.internalRpcSecret),
    ...given('credentials', tls.peers),
    local,
    ...telemetry.clients,
    ...versionLog(rpcLog),
  });
  const scheduler = new SchedulerClient(clientOptions('cinder-scheduler'));
  const volume = new VolumeClient(clientOptions('cinder-volume'));
  const castClients = new Map<string, SchedulerClient | VolumeClient>([
    ['cinder-scheduler', scheduler],
    ['cinder-volume', volume],
  ]);
  for (const client of castClients.values()) sayOfPin(log, client, config);
  const onGivenUp = new Set<(cast: ReadyWorker) => void>();
  const observed = senderMetrics(telemetry.metrics, telemetry.tracer);
  const sender = new CastSender({
    store,
    messageTtlMs: config.messageTtlMs,
    downAfterMs: config.serviceDownTimeMs,
    transport: {
      async deliver(casts, signal) {
        const binary = casts[0]?.message.binary ?? '';
        const peers = castClients.get(binary);
        // a newer program may know it
        if (!peers) throw new Error(`nothing is known of a ${binary}`);
        return peers.deliver(casts, signal);
      },
    },
    ...observed,
    onGivenUp(cast, why) {
      const { resourceId, message, context, ageMs } = cast;
      const { requestId, projectId } = context;
      log.warn('work is given up', { resourceId, method: message.method, requestId, projectId, ageMs, why });
      observed.onGivenUp(cast, why);
      for (const told of onGivenUp) told(cast);
    },
    onProblem: ({ resourceId, message, sends }, problem) =>
      castLog.info('a cast was not taken yet', { resourceId, method: message.method, sends, problem }),
    onDamage: ({ resourceId }, damage) => castLog.warn('a row of work is damaged', { resourceId, damage }),
    onError: (error) => castLog.warn('casts cannot be sent at the moment', { error }),
  });
  // a peer that was replaced speaks another version: believed at once instead of within seconds
  reloads.add({
    name: 'versions of peers',
    options: ['rpcPins'],
    reload: (now) => {
      for (const client of castClients.values()) {
        client.pin(pinFor(client.api, now.rpcPins[client.api.binary]));
        client.reset();
        sayOfPin(log, client, now);
      }
    },
  });
  return {
    config,
    log,
    store,
    descriptors,
    rules,
    scheduler,
    volume,
    local,
    sender,
    inOwnWords: (message) => castClients.get(message.binary)?.inOwnWords(message) ?? message,
    callersObjects: callersObjectsIn(store, { ttlMs: config.serviceVersionTtlMs }),
    onGivenUp,
    listeners: [
      flowLog(log.logger('cinder.flow')),
      flowMetrics(telemetry.metrics),
      ...telemetry.listeners,
      ...(extras.listeners ?? []),
    ],
    onWork: ({ resourceId, method, epoch, context }, ended, error) => {
      const { requestId, projectId, traceparent } = context;
      const traceId = traceIdOf(traceparent);
      const fields = { resourceId, method, epoch, requestId, projectId: projectId || undefined, traceId, ended };
      if (ended === 'done' || ended === 'given_back') castLog.debug('work', fields);
      else castLog.warn('work', { ...fields, error });
    },
    report: (error, where) => rpcLog.error('an unexpected error', { ...where, error }),
    watchers,
    reloads,
    tls,
    telemetry,
    async close() {
      tls.close();
      await sender.stop();
      scheduler.close();
      volume.close();
      await store.close();
      await telemetry.close();
    },
  };
}

/** Answered by any database that answers. */
const anything = statement()(({ db }) => db.selectFrom('schema_version').select('version'));

/** `{ [key]: value }`, or nothing when the value is absent. */
function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V });
}
