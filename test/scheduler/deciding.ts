import type { ExecutionContext } from 'ava';
import { CastReceiver } from '#src/casts/receiver.js';
import { CastSender } from '#src/casts/sender.js';
import type { Store } from '#src/db/store.js';
import { statement } from '#src/db/statement.js';
import { insertHold } from '#src/db/quota-settlements.js';
import { insertedVolume, insertVolume } from '#src/db/volumes.js';
import type { CastMessage, ReadyWorker } from '#src/db/worker-row.js';
import { putReadyWorker } from '#src/db/workers.js';
import { VolumeManagerService } from '#src/gen/cinder/volume/v3/volume_manager.js';
import type { VolumeStatus } from '#src/objects/volume-status.js';
import type { Volume } from '#src/objects/volume.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import { internalServer } from '#src/rpc/versioned-server.js';
import { BackupServices } from '#src/scheduler/backup-services.js';
import type { Claims } from '#src/scheduler/claims.js';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { filtersByName } from '#src/scheduler/filters/index.js';
import { FilterScheduler } from '#src/scheduler/filter-scheduler.js';
import { releaseGivenUp } from '#src/scheduler/given-up.js';
import { schedulerCalls, schedulerCasts } from '#src/scheduler/manager.js';
import { NO_SURROUNDINGS } from '#src/scheduler/placement-request.js';
import { OddPools } from '#src/scheduler/odd-pools.js';
import { Pools } from '#src/scheduler/pools.js';
import type { ValueMap } from '#src/scheduler/python/value.js';
import { Readiness } from '#src/scheduler/readiness.js';
import { ReportParts } from '#src/scheduler/report-parts.js';
import { weightHandlerByName } from '#src/scheduler/weight-handlers/index.js';
import { weighersByName } from '#src/scheduler/weighers/index.js';
import { CONTEXT } from '../casts/rows.js';
import { weigherParts } from '../replay/scheduler/weighers.js';
import { DEFAULT_FILTERS, DEFAULT_WEIGHERS, DEFAULT_WEIGHT_HANDLER } from '../support/cinder-defaults.js';
import {
  clientOptions,
  descriptors,
  Installation,
  MEBIBYTE,
  rules,
  schedulerClient,
  schedulerServer,
} from '../support/rpc.js';
import { newVolume } from '../support/volumes.js';

/** Filters and weighers, by Cinder's names. */
interface Names {
  /** @default Cinder's */
  readonly filters?: readonly string[];
  /** @default Cinder's */
  readonly weighers?: readonly string[];
}

/** Pools with one decision maker over them. Backends by name, each with one pool `p`; what is not said has 10 of 100 GiB free. */
export function decisionMaker(
  backends: Readonly<Record<string, ValueMap>>,
  { filters: filterNames = DEFAULT_FILTERS, weighers = DEFAULT_WEIGHERS }: Names = {},
) {
  const pools = new Pools({ maxOverSubscriptionRatio: '20.0', now: () => 2 });
  const flags = { clusterName: null, up: true, disabled: false, frozen: false };
  pools.setServices(Object.keys(backends).map((host) => ({ ...flags, host, availabilityZone: `zone of ${host}` })));
  for (const [host, capabilities] of Object.entries(backends)) {
    const pool = { pool_name: 'p', total_capacity_gb: 100, free_capacity_gb: 10, ...capabilities };
    pools.report({ host, clusterName: null, timestamp: 1, capabilities: { pools: [pool] } });
  }
  const filters = filtersByName(filterNames, { functions: new Functions() });
  const scheduler = new FilterScheduler({
    ...{ pools, filters, maxAttempts: 3 },
    weighers: weighersByName(weighers, weigherParts()),
    weightHandler: weightHandlerByName(DEFAULT_WEIGHT_HANDLER, () => 0),
  });
  return { pools, filters, scheduler, free: (backendId: string) => pools.find(backendId)?.freeCapacityGb };
}

interface More {
  readonly claims?: Claims;
  readonly names?: Names;
}

/** A scheduler and the volume service of `h1@b`, which does none of the work, as servers; and a sender between them. */
export async function installed(
  t: ExecutionContext,
  store: Store,
  backends: Readonly<Record<string, ValueMap>>,
  { claims, names, ...more }: Partial<Parameters<typeof schedulerCalls>[0]> & More = {},
) {
  const maker = decisionMaker(backends, names);
  const refusals: string[] = [];
  const readiness = new Readiness({ pools: maker.pools, initWaitMs: 0 });
  t.teardown(() => readiness.stop());
  const schedulers = new Installation();
  const volumes = new Installation();
  const client = schedulerClient(t, schedulers);
  const volumeClient = new VolumeClient(clientOptions(volumes));
  t.teardown(() => volumeClient.close());
  const handedOn: ReadyWorker[] = [];
  const sender = new CastSender({
    ...{ store, messageTtlMs: 60_000 },
    transport: {
      deliver: (casts, signal) =>
        (casts[0]?.message.binary === 'cinder-volume' ? volumeClient : client).deliver(casts, signal),
    },
    onGivenUp: (cast) => void (claims && releaseGivenUp(claims, cast)),
  });
  sender.start(); // what a busy machine does not take at once is sent again
  t.teardown(() => sender.stop());
  const receiver = new CastReceiver({
    ...{ store, binary: 'cinder-scheduler', owner: 'scheduler', serviceFor: () => 'service-1' },
    handlers: schedulerCasts({
      ...{ store, messageTtlMs: 60_000, readiness, scheduler: maker.scheduler, claims, listeners: [] },
      lookUp: () => NO_SURROUNDINGS,
      onPlaced: () => undefined,
      anyVolumeService: () => true,
      isExpected: () => false,
      send: (cast) => {
        handedOn.push(cast);
        sender.send(cast);
      },
      onRefusal: (_claim, reason) => refusals.push(reason),
    }),
  });
  t.teardown(() => receiver.stop(0));
  const handlers = schedulerCalls({
    oddPools: new OddPools({ pools: maker.pools, now: () => 2, intervalMs: 60_000, onNews: () => undefined }),
    ...{ store, readiness, pools: maker.pools, filters: maker.filters, scheduler: maker.scheduler, claims },
    ...{ backups: new BackupServices(), random: () => 0, now: () => 2, lookUp: () => NO_SURROUNDINGS },
    reportParts: new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 10, now: () => 2 }),
    ...{ downAfterMs: 60_000, isUpgraded: () => Promise.resolve(true), onUnreached: () => undefined },
    ...{ askScheduler: () => Promise.resolve(), askVolume: () => Promise.resolve(), onCleanup: () => undefined },
    onReport: () => undefined,
    logLevels: { levels: () => new Map(), setLevels: () => undefined },
    announce: () => undefined,
    ...more,
  });
  schedulers.add(await schedulerServer(t, { casts: receiver, handlers }), '3.12');
  const notBuilt = new CastReceiver({
    ...{ store, binary: 'cinder-volume', owner: 'volume', serviceFor: () => 'service-2', handlers: new Map() },
  });
  const server = await internalServer({
    ...{ address: '127.0.0.1:0', maxMessageBytes: MEBIBYTE, descriptors, rules, handlers: {}, casts: notBuilt },
    definition: VolumeManagerService,
    report: (error) => t.log(error),
  });
  t.teardown(() => server.stop(1_000));
  volumes.add(server, '3.20', 'h1@b');
  return { ...maker, client, sender, refusals, handedOn };
}

/** How a record is to be. */
export interface Standing {
  readonly status: VolumeStatus;
  readonly previousStatus?: VolumeStatus;
  readonly migrationStatus?: string;
  readonly attachStatus?: string;
  /** @default h1@b#p */
  readonly host?: string;
}

/** Records a volume of 1 GiB, and quota held for its change. */
export async function standing(store: Store, as: Standing): Promise<Volume> {
  const record = newVolume({ projectId: CONTEXT.projectId });
  const done = await store.apply([
    ...insertVolume(record),
    insertHold({
      ...{ id: record.id, projectId: CONTEXT.projectId, deltas: { gigabytes: 1 } },
      ...{ resourceType: 'Volume', resourceId: record.id },
    }),
  ]);
  const change = { previousStatus: null, migrationStatus: null, attachStatus: 'detached', host: 'h1@b#p', ...as };
  await store.apply([{ statement: put.with({ id: record.id, ...change }), rows: 1 }]);
  if (!done[0]) throw new Error('the volume was not recorded');
  return { ...insertedVolume(record, done[0]), ...change } as Volume;
}

/** Records work for a scheduler on a volume. */
export async function asked(store: Store, volume: Volume, method: string, payload: Uint8Array): Promise<ReadyWorker> {
  const message: CastMessage = {
    ...{ binary: 'cinder-scheduler', method, payload: Buffer.from(payload), payloadVersion: '3.0' },
  };
  const { id: resourceId, status } = volume;
  const worker = { resourceType: 'Volume', resourceId, status, target: null, message, context: CONTEXT } as const;
  const [done] = await store.apply([putReadyWorker(worker)]);
  return { ...worker, epoch: Number(done?.returned[0]?.['epoch']), sends: 1, ageMs: 0 };
}

/** Where the quota that was held stands; undefined: settled. */
export async function holdOf(store: Store, id: string): Promise<string | undefined> {
  return (await store.read(hold.with({ id })))[0]?.state;
}

const put = statement<{
  id: string;
  status: string;
  previousStatus: string | null;
  migrationStatus: string | null;
  attachStatus: string;
  host: string;
}>()(({ db }, p) =>
  db
    .updateTable('volumes')
    .set({
      ...{ status: p.status, previous_status: p.previousStatus, migration_status: p.migrationStatus },
      ...{ attach_status: p.attachStatus, host: p.host },
    })
    .where('id', '=', p.id),
);

const hold = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('quota_settlements').select('state').where('id', '=', p.id),
);
