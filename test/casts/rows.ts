import { randomUUID } from 'node:crypto';
import { createVolumeOnScheduler, createVolumeOnVolume, deleteVolumeOnVolume } from '#src/casts/cast-messages.js';
import type { Claim } from '#src/casts/claim.js';
import { appendVolumeEvent } from '#src/db/events.js';
import { putProcess } from '#src/db/processes.js';
import { putService } from '#src/db/services.js';
import { statement } from '#src/db/statement.js';
import type { Step, Store } from '#src/db/store.js';
import { placeVolume, transition } from '#src/db/volume-transitions.js';
import { findVolume, insertedVolume, insertVolume } from '#src/db/volumes.js';
import { claimWorker } from '#src/db/worker-claims.js';
import type { CastMessage, ReadyWorker } from '#src/db/worker-row.js';
import { insertStagedWorker, putReadyWorker, readyStagedWorker } from '#src/db/workers.js';
import type { RequestContext } from '#src/objects/request-context.js';
import type { FilterProperties, RequestSpec } from '#src/objects/request-spec.js';
import type { Volume } from '#src/objects/volume.js';
import type { IncomingCast } from '#src/rpc/casts.js';
import { newVolume } from '../support/volumes.js';

/** On whose behalf the work is done. */
export const CONTEXT: RequestContext = {
  requestId: 'req-11111111-1111-4111-8111-111111111111',
  projectId: 'p1',
  userId: 'u1',
  roles: ['member'],
  traceparent: '',
};

export const BACKEND = 'alpha@file';

/** What a row of work is to be like. */
export interface RowOptions {
  /** @default a creation for any scheduler */
  readonly work?: 'schedule' | 'create' | 'delete';
  /** Of work for a volume service. @default BACKEND */
  readonly target?: string;
  readonly filterProperties?: FilterProperties;
  /** The only pool that will do. @default any */
  readonly resourceBackend?: string;
  /** The volume is to be a copy of this one. @default it is blank */
  readonly sourceVolumeId?: string;
  /** What the request spec says, beside the volume's size. @default there is no spec */
  readonly requestSpec?: Partial<RequestSpec>;
  /** Replaces what the message says. */
  readonly payload?: Buffer;
  readonly method?: string;
}

/** Records a volume and its row of work, ready; its writer has just sent it. Answers the row on its way. */
export async function readyRow(store: Store, options: RowOptions = {}): Promise<ReadyWorker> {
  const { work = 'schedule', target = BACKEND, filterProperties = { schedulerHints: new Map() } } = options;
  const zone = work === 'schedule' ? { availabilityZone: null } : {};
  const { sourceVolumeId = null } = options;
  const record = newVolume({ id: randomUUID(), projectId: CONTEXT.projectId, sourceVolumeId, ...zone });
  const [inserted] = await store.apply(insertVolume(record));
  if (!inserted) throw new Error('the volume was not recorded');
  const volume = insertedVolume(record, inserted);
  const made: CastMessage =
    work === 'schedule'
      ? createVolumeOnScheduler({ volume, filterProperties, ...specOf(volume, options) })
      : work === 'create'
        ? createVolumeOnVolume({ volume, filterProperties, ...specOf(volume, options), allowReschedule: true })
        : deleteVolumeOnVolume({ volume, unmanageOnly: false, cascade: false });
  const { payload = made.payload, method = made.method } = options;
  const message = { ...made, payload, method };
  const key = { resourceType: 'Volume', resourceId: volume.id } as const;
  const status = work === 'delete' ? 'deleting' : 'creating';
  const worker = { ...key, status, target: work === 'schedule' ? null : target, message, context: CONTEXT };
  const placing: readonly Step[] =
    work === 'schedule'
      ? []
      : [placeVolume({ id: volume.id, host: `${target}#pool`, clusterName: null, availabilityZone: 'nova' })];
  const asking: readonly Step[] =
    work === 'delete'
      ? [transition('beginForceDelete', { id: volume.id }), putReadyWorker(worker)]
      : [insertStagedWorker(worker, 'writer'), readyStagedWorker({ ...key, epoch: 1 })];
  const done = await store.apply([...placing, ...asking]);
  const epoch = Number(done.at(-1)?.returned[0]?.['epoch'] ?? 1);
  return { ...worker, epoch, sends: 1, ageMs: 0 };
}

function specOf(volume: Volume, { resourceBackend, requestSpec: says }: RowOptions): { requestSpec?: RequestSpec } {
  if (resourceBackend === undefined && says === undefined) return {};
  const { id: volumeId, sizeGib, metadata } = volume;
  const volumeProperties = { sizeGib, metadata, qosSpecs: new Map(), multiattach: false };
  const bound = resourceBackend !== undefined && { resourceBackend };
  return { requestSpec: { volumeId, volumeProperties, ...bound, availabilityZones: [], ...says } };
}

/** Begins to delete a volume whatever is being done with it: another row takes the place of its row of work. */
export async function deletionOf(store: Store, { resourceId, target }: ReadyWorker): Promise<ReadyWorker> {
  const volume = await findVolume(store, { id: resourceId });
  if (!volume) throw new Error('there is no such volume');
  const message = deleteVolumeOnVolume({ volume, unmanageOnly: false, cascade: false });
  const worker = { resourceType: 'Volume', resourceId, status: 'deleting', target, message, context: CONTEXT } as const;
  const done = await store.apply([transition('beginForceDelete', { id: resourceId }), putReadyWorker(worker)]);
  return { ...worker, epoch: Number(done[1]?.returned[0]?.['epoch']), sends: 1, ageMs: 0 };
}

/** A row as its message arrives. */
export function incoming(row: ReadyWorker, more: Partial<IncomingCast> = {}): IncomingCast {
  const { resourceType, resourceId, epoch, target, context, message } = row;
  const { method, payload: args, payloadVersion: version } = message;
  return { resourceType, resourceId, epoch, method, version, target: target ?? '', args, context, ...more };
}

/** The row of work of a volume; undefined: there is none. */
export async function rowOf(store: Store, id: string) {
  const [row] = await store.read(workerOf.with({ id }));
  return row;
}

/** Everything that a piece of work might change, for comparisons. */
export async function everything(store: Store, id: string) {
  const [volume, row, events, messages] = await Promise.all([
    findVolume(store, { id }),
    rowOf(store, id),
    eventsOf(store, id),
    messagesOf(store, id),
  ]);
  return { volume, row, events, messages };
}

/** Types of a volume's events, in their order. */
export async function eventsOf(store: Store, id: string): Promise<readonly string[]> {
  return (await store.read(events.with({ id }))).map(({ type }) => type);
}

/** What the volume's owner is told: action, detail, words. */
export async function messagesOf(store: Store, id: string): Promise<readonly string[]> {
  const rows = await store.read(messages.with({ id }));
  return rows.map((row) => `${row.action_id} ${row.detail_id} ${row.user_message}`);
}

/** Notes that an owner has written, as an event of the volume. */
export function note(resourceId: string, type: string): Step {
  return appendVolumeEvent({ volumeId: resourceId, type, requestId: '' });
}

/** Registers a process that lives. */
export async function alive(store: Store, incarnation: string, binary = 'cinder-volume'): Promise<void> {
  const process = { incarnation, binary, host: 'alpha', endpoint: '', rpcVersion: '3.0', objectVersion: '1.39' };
  await store.apply([putProcess(process)]);
}

/** Registers a volume service of a backend, run by a process. Answers its id. */
export async function registered(
  store: Store,
  host: string,
  incarnation: string,
  binary = 'cinder-volume',
  clusterName: string | null = null,
): Promise<string> {
  const [done] = await store.apply([
    putService({
      ...{ id: randomUUID(), binary, host, clusterName, availabilityZone: 'nova' },
      ...{ rpcVersion: '3.20', objectVersion: '1.39', incarnation },
    }),
  ]);
  return String(done?.returned[0]?.['id']);
}

/** Claims a row for an owner that does nothing with it. */
export async function claimed(
  store: Store,
  row: ReadyWorker,
  owner: string,
  serviceId: string | null = null,
): Promise<Claim> {
  const { resourceType, resourceId, epoch, target, message, context } = row;
  const { binary, method } = message;
  const [done] = await store.apply([
    { ...claimWorker({ resourceType, resourceId, epoch, owner, binary, target, serviceId }), rows: 1 },
  ]);
  const claims = Number(done?.returned[0]?.['claims']);
  return {
    resourceType,
    resourceId,
    epoch: epoch + 1,
    owner,
    target,
    method,
    claims,
    ageMs: 0,
    resumed: false,
    context,
  };
}

/** Makes a row look `ms` older, its last send too. */
export async function aged(store: Store, id: string, ms: number): Promise<void> {
  await store.apply([{ statement: ageRow.with({ id, ms }), rows: 1 }]);
}

/** Makes a row look as if it had been sent so often. */
export async function sentBefore(store: Store, id: string, sends: number): Promise<void> {
  await store.apply([{ statement: setSends.with({ id, sends }), rows: 1 }]);
}

/** Makes the last heartbeat of a process and of all it serves `ms` older. */
export async function silent(store: Store, incarnation: string, ms: number): Promise<void> {
  await store.apply([
    { statement: ageProcess.with({ incarnation, ms }) },
    { statement: ageServices.with({ incarnation, ms }) },
  ]);
}

const workerOf = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('workers').selectAll().where('resource_id', '=', p.id),
);

const events = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('events').select('type').where('resource_id', '=', p.id).orderBy('seq'),
);

const messages = statement<{ id: string }>()(({ db }, p) =>
  db.selectFrom('messages').select(['action_id', 'detail_id', 'user_message']).where('resource_id', '=', p.id),
);

const ageRow = statement<{ id: string; ms: number }>()(({ db }, p) =>
  db
    .updateTable('workers')
    .set((eb) => ({ created_at: eb('created_at', '-', p.ms), send_until: eb('send_until', '-', p.ms) }))
    .where('resource_id', '=', p.id),
);

const setSends = statement<{ id: string; sends: number }>()(({ db }, p) =>
  db.updateTable('workers').set({ sends: p.sends }).where('resource_id', '=', p.id),
);

const ageProcess = statement<{ incarnation: string; ms: number }>()(({ db }, p) =>
  db
    .updateTable('processes')
    .set((eb) => ({ heartbeat_at: eb('heartbeat_at', '-', p.ms) }))
    .where('incarnation', '=', p.incarnation),
);

const ageServices = statement<{ incarnation: string; ms: number }>()(({ db }, p) =>
  db
    .updateTable('services')
    .set((eb) => ({ heartbeat_at: eb('heartbeat_at', '-', p.ms) }))
    .where('incarnation', '=', p.incarnation),
);
