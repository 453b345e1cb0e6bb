import { sql } from 'kysely';
import type { ServicesTable } from './schema.js';
import { since, statement } from './statement.js';
import { RowCountMismatch, type Step, type Store } from './store.js';

/** What a running service says of itself. */
export interface Registration {
  /** Used when there is no row of this binary and host yet. */
  readonly id: string;
  readonly binary: string;
  /** `host`, or `host@backend` of a volume service. */
  readonly host: string;
  readonly clusterName: string | null;
  readonly availabilityZone: string;
  readonly rpcVersion: string;
  readonly objectVersion: string;
  readonly incarnation: string;
}

/** A registered service. Rule: cinder/objects/service.py. */
export interface ServiceRecord extends Registration {
  readonly disabled: boolean;
  readonly disabledReason: string | null;
  readonly frozen: boolean;
  readonly replicationStatus: string;
  readonly activeBackendId: string | null;
  /** ms since 1970 by the database's clock. */
  readonly heartbeatAt: number;
  /** Since its last heartbeat, ms. */
  readonly silentMs: number;
  /** It ended in good order. */
  readonly stopped: boolean;
}

/**
 * Registers a service, or takes its row over from its last run; what administrators have set stays. Returns the row's `id`.
 * Safe to repeat.
 */
export function putService(service: Registration): Step {
  return {
    statement: put.with({
      id: service.id,
      binary: service.binary,
      host: service.host,
      cluster_name: service.clusterName,
      availability_zone: service.availabilityZone,
      rpc_version: service.rpcVersion,
      object_version: service.objectVersion,
      incarnation: service.incarnation,
    }),
    rows: 1,
  };
}

/** Says that all services of a run live. Touches fewer rows than it has when a newer run has taken one over. */
export function beatServices(incarnation: string): Step {
  return { statement: beat.with({ incarnation }) };
}

/** Says that all services of a run have ended in good order: they hold no versions down any more. */
export function stopServices(incarnation: string): Step {
  return { statement: stop.with({ incarnation }) };
}

/** Says that one service of a run has ended for now; `putService` says that it lives again. */
export function stopService(incarnation: string, host: string): Step {
  return { statement: stopOne.with({ incarnation, host }) };
}

/** The registered services of a binary, stopped ones too, by host. */
export async function servicesOf(store: Store, binary: string): Promise<readonly ServiceRecord[]> {
  return (await store.read(ofBinary.with({ binary }))).map(toRecord);
}

/** All registered services, stopped ones too, by binary and host. */
export async function allServices(store: Store): Promise<readonly ServiceRecord[]> {
  return (await store.read(all.with({}))).map(toRecord);
}

/** What administrators say of a service. */
export interface ServiceSwitch {
  readonly binary: string;
  /** As it is registered. */
  readonly host: string;
  readonly disabled: boolean;
  /** Why it is disabled; null: nothing is said. */
  readonly disabledReason: string | null;
}

/** Enables or disables a service with the steps of `also`, and answers it; undefined: there is none. Safe to repeat. */
export async function switchService(
  store: Store,
  change: ServiceSwitch,
  also: readonly Step[] = [],
): Promise<ServiceRecord | undefined> {
  try {
    const switched = { statement: turn.with({ ...change, disabled: Number(change.disabled) }), rows: 1 };
    const [done] = await store.apply([switched, ...also]);
    const [row] = (done?.returned ?? []) as unknown as readonly Row[];
    return row && toRecord(row);
  } catch (error) {
    if (error instanceof RowCountMismatch && error.step === 0) return undefined;
    throw error;
  }
}

/** Whether a service was heard of within `downAfterMs`, by the database's clock. Rule: cinder/objects/service.py, `is_up`. */
export function isUp({ silentMs, stopped }: ServiceRecord, downAfterMs: number): boolean {
  return !stopped && silentMs <= downAfterMs;
}

interface PutParams {
  readonly id: string;
  readonly binary: string;
  readonly host: string;
  readonly cluster_name: string | null;
  readonly availability_zone: string;
  readonly rpc_version: string;
  readonly object_version: string;
  readonly incarnation: string;
}

const put = statement<PutParams>()(({ db, now }, p) =>
  db
    .insertInto('services')
    .values({
      id: p.id,
      binary: p.binary,
      host: p.host,
      cluster_name: p.cluster_name,
      availability_zone: p.availability_zone,
      disabled: 0,
      disabled_reason: null,
      frozen: 0,
      replication_status: 'not-capable',
      active_backend_id: null,
      rpc_current_version: p.rpc_version,
      object_current_version: p.object_version,
      incarnation: p.incarnation,
      report_count: 0,
      heartbeat_at: now,
      stopped_at: null,
      modified_at: null,
      created_at: now,
      deleted_at: null,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['binary', 'host'])
        .where('deleted_at', 'is', null)
        .doUpdateSet({
          cluster_name: (eb) => eb.ref('excluded.cluster_name'),
          availability_zone: (eb) => eb.ref('excluded.availability_zone'),
          rpc_current_version: (eb) => eb.ref('excluded.rpc_current_version'),
          object_current_version: (eb) => eb.ref('excluded.object_current_version'),
          incarnation: (eb) => eb.ref('excluded.incarnation'),
          heartbeat_at: now,
          stopped_at: null,
        }),
    )
    .returning('id'),
);

const beat = statement<{ incarnation: string }>()(({ db, now }, p) =>
  db
    .updateTable('services')
    .set({ heartbeat_at: now, report_count: sql<number>`report_count + 1` })
    .where('incarnation', '=', p.incarnation)
    .where('deleted_at', 'is', null)
    .where('stopped_at', 'is', null),
);

const stop = statement<{ incarnation: string }>()(({ db, now }, p) =>
  db
    .updateTable('services')
    .set({ stopped_at: now })
    .where('incarnation', '=', p.incarnation)
    .where('deleted_at', 'is', null)
    .where('stopped_at', 'is', null),
);

const stopOne = statement<{ incarnation: string; host: string }>()(({ db, now }, p) =>
  db
    .updateTable('services')
    .set({ stopped_at: now })
    .where('incarnation', '=', p.incarnation)
    .where('host', '=', p.host)
    .where('deleted_at', 'is', null)
    .where('stopped_at', 'is', null),
);

const turn = statement<Omit<ServiceSwitch, 'disabled'> & { readonly disabled: number }>()(({ db, now }, p) =>
  db
    .updateTable('services')
    .set({ disabled: p.disabled, disabled_reason: p.disabledReason, modified_at: now })
    .where('binary', '=', p.binary)
    .where('host', '=', p.host)
    .where('deleted_at', 'is', null)
    .returningAll()
    .returning(since(now, 'heartbeat_at').as('silent_ms')),
);

const ofBinary = statement<{ binary: string }>()(({ db, now }, p) =>
  db
    .selectFrom('services')
    .selectAll()
    .select(since(now, 'heartbeat_at').as('silent_ms'))
    .where('binary', '=', p.binary)
    .where('deleted_at', 'is', null)
    .orderBy('host'),
);

const all = statement()(({ db, now }) =>
  db
    .selectFrom('services')
    .selectAll()
    .select(since(now, 'heartbeat_at').as('silent_ms'))
    .where('deleted_at', 'is', null)
    .orderBy('binary')
    .orderBy('host'),
);

/** The end of the year 9999: what was set by hand to later cannot be said. */
const LAST_MOMENT = 253_402_300_799_999;

type Row = ServicesTable & { readonly silent_ms: number };

function toRecord(row: Row): ServiceRecord {
  return {
    id: row.id,
    binary: row.binary,
    host: row.host,
    clusterName: row.cluster_name,
    availabilityZone: row.availability_zone,
    disabled: row.disabled !== 0,
    disabledReason: row.disabled_reason,
    frozen: row.frozen !== 0,
    replicationStatus: row.replication_status,
    activeBackendId: row.active_backend_id,
    rpcVersion: row.rpc_current_version,
    objectVersion: row.object_current_version,
    incarnation: row.incarnation,
    heartbeatAt: Math.min(Math.max(0, row.heartbeat_at), LAST_MOMENT),
    silentMs: Math.max(0, row.silent_ms),
    stopped: row.stopped_at !== null,
  };
}
