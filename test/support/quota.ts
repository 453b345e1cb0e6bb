import { randomUUID } from 'node:crypto';
import { deleteIdempotencyOf, insertIdempotency } from '#src/db/idempotency.js';
import { upsertLimit } from '#src/db/quota-limits.js';
import { deleteOpenCharge, insertCharge, insertRelease, type Settlement } from '#src/db/quota-settlements.js';
import type { Step, Store } from '#src/db/store.js';
import { transition } from '#src/db/volume-transitions.js';
import { DEFAULT_VOLUME_TYPE_ID } from '#src/db/volume-types.js';
import { insertVolume } from '#src/db/volumes.js';
import { deleteAnyWorker, insertStagedWorker, readyStagedWorker } from '#src/db/workers.js';
import type { Log } from '#src/log/log.js';
import { QuotaCheck } from '#src/quota/check.js';
import { DEFAULT_LIMITS, Limits } from '#src/quota/limits.js';
import type { SnapshotOptions } from '#src/quota/deltas/snapshot.js';
import { graceMsOf, Quota, type Reservation } from '#src/quota/quota.js';
import { Rebuild } from '#src/quota/rebuild.js';
import { type ChargedResources, Recovery } from '#src/quota/recovery.js';
import { volumeAmounts } from '#src/quota/resources.js';
import { loadQuotaScripts } from '#src/quota/scripts.js';
import { Settlements } from '#src/quota/settlements.js';
import type { RedisConnection } from '#src/redis/connection.js';
import type { ServerConnection } from '#src/redis/server-connection.js';
import { type Deadline, deadlineIn } from '#src/time/deadline.js';
import { newProject, SILENT } from './redis.js';

export interface EngineOptions {
  readonly ttlMs?: number;
  readonly graceMs?: number;
  readonly leaseMs?: number;
  readonly log?: Log;
  /** How old a limit may be, ms. @default 0 */
  readonly limitsMaxAgeMs?: number;
  /** @default snapshots count towards gigabytes */
  readonly sums?: SnapshotOptions;
}

/** The quota engine over real parts, as a process has it. */
export type Engine<R extends RedisConnection = ServerConnection> = ReturnType<typeof engineOf<R>>;

export function engineOf<R extends RedisConnection>(redis: R, store: Store, options: EngineOptions = {}) {
  const { ttlMs = 60_000, log = SILENT, leaseMs = 5_000, sums = { countSnapshotGib: true } } = options;
  const scripts = loadQuotaScripts();
  const limits = new Limits({ store, defaults: DEFAULT_LIMITS, maxAgeMs: options.limitsMaxAgeMs ?? 0 });
  const rebuild = new Rebuild({ redis, scripts, store, graceMs: graceMsOf(ttlMs), leaseMs, sums, log });
  const quota = new Quota({ redis, scripts, limits, rebuild, ttlMs, log });
  const settlements = new Settlements({ quota, rebuild, store });
  const recovery = new Recovery({
    ...{ store, settlements, rebuild, log, resources: CHARGED_VOLUMES },
    ...{ owner: randomUUID(), flowDeadlineMs: 0, periodMs: 20 },
  });
  const check = new QuotaCheck({ redis, scripts, store, rebuild, sums: { countSnapshotGib: true }, log });
  return { redis, store, scripts, limits, rebuild, quota, settlements, recovery, check };
}

/** What recovery does to volumes; a hold of a growth has no work of its own here, and its volume stays as it is. */
export const CHARGED_VOLUMES: ChargedResources = {
  forward: ({ kind, resourceId }) =>
    kind === 'hold' ? [] : [readyStagedWorker({ resourceType: 'Volume', resourceId, epoch: 1 })],
  destroy: ({ kind, resourceId }) => (kind === 'hold' ? [] : destroyVolume(resourceId)),
};

const destroyVolume = (id: string): Step[] => [
  { ...transition('undoCreate', { id }), rows: 1 },
  deleteAnyWorker({ resourceType: 'Volume', resourceId: id }),
  deleteIdempotencyOf(id),
];

export const soon = (): Deadline => deadlineIn(10_000);

/** A volume on its way through the create protocol, one step at a time, so that a test can stop after any of them. */
export class Creation<R extends RedisConnection = ServerConnection> {
  readonly volumeId = randomUUID();
  readonly reservationId = randomUUID();
  reservation: Reservation | undefined;

  constructor(
    readonly engine: Engine<R>,
    readonly projectId: string,
    /** As the record has it: it may grow. */
    public sizeGib = 1,
  ) {}

  get charge() {
    return {
      id: this.reservationId,
      projectId: this.projectId,
      deltas: volumeAmounts({ sizeGib: this.sizeGib, volumeTypeId: DEFAULT_VOLUME_TYPE_ID }),
      ...{ resourceType: 'Volume', resourceId: this.volumeId },
    };
  }

  async reserve(ttlMs?: number): Promise<string> {
    const { id, deltas } = this.charge;
    const options = { id, deadline: soon(), note: 'req-of-a-test', ...(ttlMs === undefined ? {} : { ttlMs }) };
    const reply = await this.engine.quota.reserve(this.projectId, deltas, options);
    if (reply.answer === 'reserved') this.reservation = reply.reservation;
    return reply.answer;
  }

  async tx1(owner = 'this-process'): Promise<void> {
    const key = { projectId: this.projectId, userId: 'user', rpc: 'CreateVolume', key: this.volumeId };
    await this.engine.store.apply([
      ...insertVolume(newVolume(this.volumeId, this.projectId, this.sizeGib)),
      insertStagedWorker(stagedWorker(this.volumeId, this.projectId), owner),
      insertCharge(this.charge),
      insertIdempotency(key, { requestHash: '0'.repeat(64), resourceId: this.volumeId }),
    ]);
  }

  commit(deadline = soon()) {
    const token = this.reservation?.token;
    return this.engine.settlements.commit({ ...this.charge, ...(token === undefined ? {} : { token }) }, deadline);
  }

  async tx2(): Promise<void> {
    await this.engine.store.apply([deleteOpenCharge(this.reservationId), ...CHARGED_VOLUMES.forward(this.#row())]);
  }

  async all(): Promise<void> {
    await this.reserve();
    await this.tx1();
    const decision = await this.commit();
    if (decision !== 'committed') throw new Error(`not committed: ${decision}`);
    await this.tx2();
  }

  /** The delete's transaction. Returns the release. */
  async destroy() {
    const release = { ...this.charge, id: randomUUID() };
    await this.engine.store.apply([
      { ...transition('undoCreate', { id: this.volumeId }), rows: 1 },
      deleteAnyWorker({ resourceType: 'Volume', resourceId: this.volumeId }),
      insertRelease(release, this.engine.quota.graceMs),
    ]);
    return release;
  }

  #row(): Settlement {
    return { ...this.charge, kind: 'charge', state: 'open', until: null, createdAt: 0 };
  }
}

/** A project with limits of its own. */
export async function projectWith(
  store: Store,
  limits: Readonly<Record<string, number>> = {},
  projectId = newProject(),
): Promise<string> {
  await store.apply(Object.entries(limits).map(([resource, limit]) => upsertLimit(projectId, resource, limit)));
  return projectId;
}

/** `in use/reserved` of volumes and gigabytes, in total and of the type: `1/0 10/0 1/0 10/0`. */
export async function figures({ quota }: Pick<Engine, 'quota'>, projectId: string): Promise<string> {
  const keys = Object.keys(volumeAmounts({ sizeGib: 1, volumeTypeId: DEFAULT_VOLUME_TYPE_ID }));
  const usage = await quota.usage(projectId, keys, soon());
  return keys.map((key) => `${usage.get(key)?.inUse}/${usage.get(key)?.reserved}`).join(' ');
}

function newVolume(id: string, projectId: string, sizeGib: number): Parameters<typeof insertVolume>[0] {
  return {
    ...{ id, projectId, userId: 'user', sizeGib, status: 'creating', volumeTypeId: DEFAULT_VOLUME_TYPE_ID },
    ...{ name: null, description: null, availabilityZone: 'nova', snapshotId: null, sourceVolumeId: null },
    ...{
      groupId: null,
      encryptionKeyId: null,
      bootable: false,
      multiattach: false,
      useQuota: true,
      metadata: new Map(),
    },
  };
}

function stagedWorker(volumeId: string, projectId: string): Parameters<typeof insertStagedWorker>[0] {
  return {
    ...{ resourceType: 'Volume', resourceId: volumeId, status: 'creating', target: null },
    message: { binary: 'cinder-scheduler', method: 'CreateVolume', payload: Buffer.alloc(0), payloadVersion: '3.0' },
    context: { requestId: 'req-1', projectId, userId: 'user', roles: [], traceparent: '' },
  };
}
