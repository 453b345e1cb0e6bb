import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { createVolumeFlow, type CreateVolumeFlowParts } from '#src/api/flows/create-volume.js';
import { createVolume } from '#src/api/handlers/create-volume.js';
import type { CreateVolume } from '#src/api/requests.js';
import { typeOfVolume } from '#src/api/visible-volume-type.js';
import { visibleVolume } from '#src/api/visible-volume.js';
import { cachedZones } from '#src/api/zones.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { defaultVolumeType } from '#src/db/default-volume-types.js';
import { findVolumeType } from '#src/db/volume-types.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { Fault } from '#src/errors/fault.js';
import type { FlowListener } from '#src/flow/listeners.js';
import { CreateVolumeRequest } from '#src/gen/cinder/api/v3/volumes.js';
import type { RequestContext } from '#src/objects/request-context.js';
import type { ServerConnection } from '#src/redis/server-connection.js';
import { deadlineIn } from '#src/time/deadline.js';
import { type Engine, engineOf, figures, projectWith } from '../support/quota.js';
import { redisFor } from '../support/redis.js';

export interface CreationOptions {
  /** @default the one that the tests of the file share */
  readonly redis?: ServerConnection;
  readonly limits?: Readonly<Record<string, number>>;
  /** What is put between the flow and its records. */
  readonly between?: (store: Store) => Store;
  readonly reservationTtlMs?: number;
}

/** The way of a CreateVolume through the API, over real records and a real Redis, for one project. */
export class Creations {
  readonly sent: ReadyWorker[] = [];
  readonly parts: CreateVolumeFlowParts;
  readonly context: RequestContext;

  private constructor(
    readonly store: Store,
    readonly engine: Engine,
    projectId: string,
    between: (store: Store) => Store,
  ) {
    this.context = { requestId: `req-${randomUUID()}`, projectId, userId: 'user', roles: ['member'], traceparent: '' };
    this.parts = {
      ...engine,
      store: between(store),
      owner: 'this-process',
      types: {
        async find(idOrName) {
          const type = await findVolumeType(store, { idOrName, projectId });
          if (!type) throw new Fault('VolumeTypeNotFound', { volumeType: idOrName });
          return type;
        },
        ofVolume: (id) => typeOfVolume(store, id),
        default: () => defaultVolumeType(store, { projectId, configuredName: '__DEFAULT__' }),
      },
      zones: cachedZones(async () => ['nova'], 'nova', 60_000),
      defaultZone: 'nova',
      zoneFallback: false,
      clonedVolumeSameAz: true,
      sources: { find: (volumeId, context) => visibleVolume(store, context, volumeId) },
      undoDeadlineMs: 10_000,
      send: (cast) => this.sent.push(cast),
    };
  }

  static async over(t: ExecutionContext, store: Store, options: CreationOptions = {}): Promise<Creations> {
    const { reservationTtlMs: ttlMs } = options;
    const engine = engineOf(options.redis ?? (await redisFor(t)), store, ttlMs === undefined ? {} : { ttlMs });
    const projectId = await projectWith(store, options.limits);
    return new Creations(store, engine, projectId, options.between ?? ((same) => same));
  }

  /** Runs the flow once; answers the volume's id. */
  async run(request: Partial<CreateVolume> = {}, run: FlowRun = {}, context = this.context): Promise<string> {
    const { deadlineMs = 10_000, ...options } = run;
    const blank = { sizeGib: 1, name: null, description: null, metadata: new Map(), schedulerHints: new Map() };
    const { entry } = await createVolumeFlow(this.parts).run(
      { context, request: { ...blank, ...request }, deadline: deadlineIn(deadlineMs) },
      options,
    );
    return entry.volume.id;
  }

  /** Asks as a caller does. */
  async ask(request: Partial<CreateVolumeRequest> = {}, deadlineMs = 10_000) {
    const handler = createVolume({ ...this.parts, flowDeadlineMs: deadlineMs, listeners: [] });
    const call = { context: this.context, deadline: Date.now() + deadlineMs, signal: new AbortController().signal };
    const { volume } = await handler(CreateVolumeRequest.create({ size: 1, ...request }), call);
    if (!volume) throw new Error('the answer has no volume');
    return volume;
  }

  /** Everything that a request may leave behind: what is live, what is undecided, what is counted. */
  async books() {
    const { projectId } = this.context;
    const [volumes, workers, settlements, keys] = await Promise.all([
      this.store.read(liveVolumes.with({ projectId })),
      this.store.read(workersOf.with({ projectId })),
      this.store.read(settlementsOf.with({ projectId })),
      this.store.read(keysOf.with({ projectId })),
    ]);
    return { volumes, workers, settlements, keys, usage: await figures(this.engine, projectId) };
  }

  /** Types of the project's events, in their order. */
  async events(): Promise<readonly string[]> {
    return (await this.store.read(eventsOf.with({ projectId: this.context.projectId }))).map(({ type }) => type);
  }
}

export interface FlowRun {
  readonly signal?: AbortSignal;
  readonly listeners?: readonly FlowListener[];
  readonly deadlineMs?: number;
}

/** Nothing at all, as the books show it. */
export const NOTHING = { volumes: [], workers: [], settlements: [], keys: [], usage: '0/0 0/0 0/0 0/0' };

/** A store that does something before, or after, its nth unit. */
export function around(when: 'before' | 'after', nth: number, act: () => unknown) {
  let units = 0;
  return (store: Store): Store => ({
    dialect: store.dialect,
    read: (bound) => store.read(bound),
    close: () => store.close(),
    async apply(unit) {
      const isMine = ++units === nth;
      if (isMine && when === 'before') await act();
      const done = await store.apply(unit);
      if (isMine && when === 'after') await act();
      return done;
    },
  });
}

interface Project {
  readonly projectId: string;
}

const liveVolumes = statement<Project>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .select(['id', 'status'])
    .where('project_id', '=', p.projectId)
    .where('deleted_at', 'is', null),
);

const workersOf = statement<Project>()(({ db }, p) =>
  db
    .selectFrom('workers')
    .innerJoin('volumes', 'volumes.id', 'workers.resource_id')
    .select(['workers.resource_id', 'workers.state', 'workers.epoch'])
    .where('volumes.project_id', '=', p.projectId),
);

const settlementsOf = statement<Project>()(({ db }, p) =>
  db.selectFrom('quota_settlements').select(['kind', 'state', 'resource_id']).where('project_id', '=', p.projectId),
);

const keysOf = statement<Project>()(({ db }, p) =>
  db.selectFrom('idempotency').select(['key', 'resource_id']).where('project_id', '=', p.projectId),
);

const eventsOf = statement<Project>()(({ db }, p) =>
  db.selectFrom('events').select('type').where('project_id', '=', p.projectId).orderBy('seq'),
);
