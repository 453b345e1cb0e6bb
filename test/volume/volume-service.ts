import type { ExecutionContext } from 'ava';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createVolumeOnVolume, deleteVolumeOnVolume, type DeleteVolumeOnVolume } from '#src/casts/cast-messages.js';
import type { Claim } from '#src/casts/claim.js';
import type { CastHandler } from '#src/casts/handler.js';
import { CastReceiver } from '#src/casts/receiver.js';
import { statement } from '#src/db/statement.js';
import type { Step, Store } from '#src/db/store.js';
import { placeVolume, transition } from '#src/db/volume-transitions.js';
import { findVolume, insertVolume, type NewVolume } from '#src/db/volumes.js';
import type { CastMessage, ReadyWorker } from '#src/db/worker-row.js';
import { insertStagedWorker, putReadyWorker, readyStagedWorker } from '#src/db/workers.js';
import type { VolumeDriver } from '#src/drivers/driver.js';
import { FileDriver } from '#src/drivers/file/file-driver.js';
import type { RequestContext } from '#src/objects/request-context.js';
import type { Retry } from '#src/objects/request-spec.js';
import type { Volume } from '#src/objects/volume.js';
import type { CastOutcome } from '#src/rpc/casts.js';
import { Backend } from '#src/volume/backend.js';
import type { Findings } from '#src/volume/inspection.js';
import { volumeManager } from '#src/volume/manager.js';
import type { Release } from '#src/volume/outcomes.js';
import { sqliteStore } from '../support/sql.js';
import { newVolume } from '../support/volumes.js';
import { folderFor } from '../support/folder.js';

export const BACKEND = 'alpha@file';
export const POOL = 'pool';

export const CONTEXT: RequestContext = {
  requestId: 'req-11111111-1111-4111-8111-111111111111',
  projectId: 'project',
  userId: 'user',
  roles: ['member'],
  traceparent: '',
};

const EVER = new AbortController().signal;

/** How a piece of work ended. */
export interface Ending {
  readonly claim: Claim;
  readonly ended: 'done' | 'given_back' | 'fenced' | 'failed' | 'stuck';
  readonly error: unknown;
}

/** What a test puts between the service and its parts. */
export interface Between {
  readonly store?: (store: Store) => Store;
  readonly driver?: (driver: VolumeDriver) => VolumeDriver;
  readonly releaseQuota?: (release: Release) => Promise<void>;
  readonly concurrency?: number;
  readonly copyConcurrency?: number;
  /** Where cp(1) is found. @default the system's */
  readonly programPath?: string;
  /** @default incarnation-1 */
  readonly owner?: string;
}

/** A volume service on a real database, real files and the real casts' engine. */
export async function volumeService(t: ExecutionContext, between: Between = {}): Promise<VolumeService> {
  const folder = await folderFor(t);
  return started(t, new VolumeService(await sqliteStore(t), folder, between));
}

/** The next process on the same records and files, after the one before has stopped working. */
export async function successor(
  t: ExecutionContext,
  before: VolumeService,
  between: Between = {},
): Promise<VolumeService> {
  await before.stop();
  return started(t, new VolumeService(before.store, before.folder, { owner: 'incarnation-2', ...between }));
}

async function started(t: ExecutionContext, service: VolumeService): Promise<VolumeService> {
  t.teardown(() => service.stop());
  await service.start();
  return service;
}

export class VolumeService {
  readonly sent: ReadyWorker[] = [];
  readonly released: Release[] = [];
  readonly releasesLeft: unknown[] = [];
  readonly backend: Backend;
  /** Of the start. */
  findings: Findings | undefined;
  readonly #owner: string;
  readonly #receiver: CastReceiver;
  #signal: AbortSignal = EVER;
  readonly #waiting: ((ending: Ending) => void)[] = [];
  readonly #endings: Ending[] = [];

  constructor(
    readonly store: Store,
    readonly folder: string,
    between: Between = {},
  ) {
    this.#owner = between.owner ?? 'incarnation-1';
    const files = new FileDriver({
      backend: BACKEND,
      path: folder,
      pools: [{ name: POOL, capacityGib: 10 }],
      ...(between.programPath && { programPath: between.programPath }),
    });
    this.backend = new Backend({
      name: BACKEND,
      volumeBackendName: 'file',
      driver: between.driver?.(files) ?? files,
      concurrency: between.concurrency ?? 8,
      ...(between.copyConcurrency && { copyConcurrency: between.copyConcurrency }),
    });
    const manager = volumeManager({
      store: between.store?.(store) ?? store,
      backends: { find: (name) => (name === BACKEND ? this.backend : undefined) },
      serviceIdOf: () => 'service-1',
      newId: randomUUID,
      messageTtlMs: 60_000,
      releaseGraceMs: 60_000,
      listeners: [],
      send: (cast) => this.sent.push(cast),
      releaseQuota: async (release) => {
        await between.releaseQuota?.(release);
        this.released.push(release);
      },
      onReleaseLeft: (_release, error) => this.releasesLeft.push(error),
    });
    this.#receiver = new CastReceiver({
      store,
      binary: 'cinder-volume',
      owner: this.#owner,
      handlers: new Map([...manager].map(([method, handler]) => [method, this.#observed(handler)])),
      serviceFor: (target) => (target === BACKEND ? 'service-1' : undefined),
      onWork: (claim, ended, error) => this.#ended({ claim, ended, error }),
    });
  }

  async start(): Promise<void> {
    this.findings = await this.backend.start(this.store, EVER);
  }

  /** Goes on with what a dead process left, and waits until it is done. */
  async takeOver(): Promise<Ending> {
    if ((await this.#receiver.takeOver()) !== 1) throw new Error('there was not one orphan');
    return this.next();
  }

  async stop(): Promise<void> {
    await this.#receiver.stop(0);
    await this.backend.stop();
  }

  /** Cuts the work off as a shutdown does whose time is over. To be called in the middle of it. */
  async cutOff(): Promise<never> {
    void this.#receiver.stop(0);
    if (!this.#signal.aborted) await once(this.#signal, 'abort');
    throw new Error('cut off');
  }

  /** Records a volume that a scheduler has placed here, and its cast. */
  async placed(more: Partial<NewVolume> = {}, options: { retry?: Retry } = {}): Promise<Placed> {
    const record = newVolume({ projectId: CONTEXT.projectId, ...more });
    const { id } = record;
    const message = createVolumeOnVolume({
      volume: recordOf(record),
      requestSpec: { volumeId: id, volumeProperties: VOLUME_PROPERTIES, availabilityZones: [] },
      filterProperties: { schedulerHints: new Map(), ...(options.retry && { retry: options.retry }) },
      allowReschedule: true,
    });
    await this.store.apply([
      ...insertVolume(record),
      placeVolume({ id, host: `${BACKEND}#${POOL}`, clusterName: null, availabilityZone: 'nova' }),
      insertStagedWorker(worker(id, 'creating', message), this.#owner),
      readyStagedWorker({ resourceType: 'Volume', resourceId: id, epoch: 1 }),
    ]);
    return { id, message, epoch: 1 };
  }

  /** A volume that is there, with something in it. */
  async source(content: Buffer, more: Partial<NewVolume> = {}): Promise<Placed> {
    const placed = await this.placed(more);
    await this.work(placed);
    const file = await open(join(this.folder, POOL, `volume-${placed.id}`), 'r+');
    await file.write(content);
    await file.close();
    return placed;
  }

  /** The first bytes of a volume. */
  async content(id: string, bytes: number): Promise<Buffer> {
    const file = await open(join(this.folder, POOL, `volume-${id}`), 'r');
    const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    await file.close();
    return buffer;
  }

  /** A volume that is there, about to be deleted, and the cast. */
  async deleting(more: Partial<NewVolume> = {}): Promise<Placed> {
    const placed = await this.placed(more);
    await this.work(placed);
    return this.forceDeletion(placed);
  }

  /** Begins to delete a volume, whatever is being done with it. */
  async forceDeletion({ id }: Placed, more: Partial<DeleteVolumeOnVolume> = {}): Promise<Placed> {
    const volume = await this.volume(id);
    if (!volume) throw new Error('there is no such volume');
    const message = deleteVolumeOnVolume({ volume, unmanageOnly: false, cascade: false, ...more });
    const [, row] = await this.store.apply([
      transition('beginForceDelete', { id }),
      putReadyWorker(worker(id, 'deleting', message)),
    ]);
    return { id, message, epoch: Number(row?.returned[0]?.['epoch']) };
  }

  /** Delivers a cast and waits for the work to end. */
  async work(placed: Placed): Promise<Ending> {
    await this.deliver([placed]);
    return this.next();
  }

  async deliver(placed: readonly Placed[]): Promise<readonly CastOutcome[]> {
    return this.#receiver.deliver(
      placed.map(({ id, message, epoch }) => ({
        resourceType: 'Volume',
        resourceId: id,
        epoch,
        method: message.method,
        version: message.payloadVersion,
        target: BACKEND,
        args: message.payload,
        context: CONTEXT,
      })),
    );
  }

  /** The next ending, in order. */
  next(): Promise<Ending> {
    const ending = this.#endings.shift();
    return ending ? Promise.resolve(ending) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  async attach(id: string): Promise<void> {
    await this.store.apply([{ statement: attached.with({ id }), rows: 1 }]);
  }

  volume(id: string): Promise<Volume | undefined> {
    return findVolume(this.store, { id });
  }

  /** The row of work of a volume. */
  async row(id: string) {
    const [row] = await this.store.read(workerOf.with({ id }));
    return row;
  }

  /** Types of the volume's events, in their order. */
  async events(id: string): Promise<readonly string[]> {
    return (await this.store.read(eventsOf.with({ id }))).map(({ type }) => type);
  }

  async messages(id: string): Promise<readonly string[]> {
    const rows = await this.store.read(messagesOf.with({ id }));
    return rows.map((row) => `${row.action_id} ${row.detail_id} ${row.user_message}`);
  }

  /** The settlements of a volume's quota. */
  settlements(id: string) {
    return this.store.read(settlementsOf.with({ id }));
  }

  /** Names of the files in the pool. */
  async files(): Promise<readonly string[]> {
    return (await readdir(join(this.folder, POOL))).sort();
  }

  /** Everything a piece of work might change, for a comparison. */
  async everything(id: string) {
    return {
      volume: await this.volume(id),
      row: await this.row(id),
      events: await this.events(id),
      messages: await this.messages(id),
      settlements: await this.settlements(id),
    };
  }

  /** Remembers the signal of the work under way. */
  #observed(handler: CastHandler): CastHandler {
    return {
      ...handler,
      run: (claim, request, signal, begin) => {
        this.#signal = signal;
        return handler.run(claim, request, signal, begin);
      },
    };
  }

  #ended(ending: Ending): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(ending);
    else this.#endings.push(ending);
  }
}

export interface Placed {
  readonly id: string;
  readonly message: CastMessage;
  readonly epoch: number;
}

/** Makes another owner of a row, as a take-over does. */
export function stealRow(id: string): Step {
  return { statement: steal.with({ id }), rows: 1 };
}

/** As if the work on a volume had been begun so often. */
export function beginsOfRow(id: string, claims: number): Step {
  return { statement: begins.with({ id, claims }), rows: 1 };
}

/** Calls `before` with the number of each call, from 1, before it happens; what it throws, the call throws. */
export function hookedStore(before: (call: 'read' | 'apply', nth: number) => Promise<void> | void) {
  return (store: Store): Store => {
    const calls = { read: 0, apply: 0 };
    return {
      dialect: store.dialect,
      close: () => store.close(),
      read: async (bound) => {
        await before('read', ++calls.read);
        return store.read(bound);
      },
      apply: async (unit) => {
        await before('apply', ++calls.apply);
        return store.apply(unit);
      },
    };
  };
}

/** Destroys a record behind the service's back. */
export function destroyRecord(id: string): Step {
  return { statement: destroy.with({ id }), rows: 1 };
}

/** What happens around a volume's making, and before its destruction. */
export interface DriverHooks {
  readonly before?: () => Promise<void> | void;
  readonly after?: () => Promise<void> | void;
  readonly beforeDelete?: () => Promise<void> | void;
}

/** A driver with hooks. */
export function hookedDriver(hooks: DriverHooks) {
  return (driver: VolumeDriver): VolumeDriver => ({
    capabilities: driver.capabilities,
    inventory: driver.inventory,
    start: (signal) => driver.start(signal),
    stop: () => driver.stop(),
    check: () => driver.check(),
    capacity: () => driver.capacity(),
    discard: (remains) => driver.discard(remains),
    createVolume: async (volume, work) => {
      await hooks.before?.();
      await driver.createVolume(volume, work);
      await hooks.after?.();
    },
    createClonedVolume: async (volume, source, work) => {
      await hooks.before?.();
      await driver.createClonedVolume(volume, source, work);
      await hooks.after?.();
    },
    deleteVolume: async (volume, work) => {
      await hooks.beforeDelete?.();
      await driver.deleteVolume(volume, work);
    },
  });
}

const VOLUME_PROPERTIES = { sizeGib: 1, metadata: new Map(), qosSpecs: new Map(), multiattach: false };

function recordOf(volume: NewVolume): Volume {
  return {
    ...volume,
    statusReason: null,
    previousStatus: null,
    attachStatus: 'detached',
    migrationStatus: null,
    host: `${BACKEND}#${POOL}`,
    clusterName: null,
    replicationStatus: null,
    nameId: null,
    providerId: null,
    providerLocation: null,
    providerAuth: null,
    serviceId: null,
    sharedTargets: null,
    revision: 1,
    scheduledAt: 1,
    launchedAt: null,
    terminatedAt: null,
    createdAt: 1,
    updatedAt: 1,
    deletedAt: null,
  };
}

function worker(id: string, status: string, message: CastMessage) {
  return { resourceType: 'Volume' as const, resourceId: id, status, target: BACKEND, message, context: CONTEXT };
}

const workerOf = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('workers').selectAll().where('resource_id', '=', p.id),
);

const eventsOf = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('events').select('type').where('resource_id', '=', p.id).orderBy('seq'),
);

const messagesOf = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('messages').select(['action_id', 'detail_id', 'user_message']).where('resource_id', '=', p.id),
);

const settlementsOf = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('quota_settlements').select(['kind', 'state', 'deltas', 'project_id']).where('resource_id', '=', p.id),
);

const attached = statement<{ id: string }>()(({ db }, p) =>
  db.updateTable('volumes').set({ attach_status: 'attached' }).where('id', '=', p.id),
);

const destroy = statement<{ id: string }>()(({ db, now }, p) =>
  db.updateTable('volumes').set({ status: 'deleted', deleted_at: now }).where('id', '=', p.id),
);

const begins = statement<{ id: string; claims: number }>()(({ db }, p) =>
  db.updateTable('workers').set({ claims: p.claims }).where('resource_id', '=', p.id),
);

const steal = statement<{ id: string }>()(({ db }, p) =>
  db
    .updateTable('workers')
    .set((eb) => ({ owner: 'another', epoch: eb('epoch', '+', 1) }))
    .where('resource_id', '=', p.id),
);
