import { type ExpressionBuilder, sql, type UpdateObject } from 'kysely';
import { type TransitionName, TRANSITIONS } from '../objects/volume-status.js';
import { noteLeftover } from './leftovers.js';
import type { Schema } from './schema.js';
import { type Statement, statement, type Tools } from './statement.js';
import type { Step } from './store.js';

/** A change of status of one volume. */
export interface StatusChange {
  readonly id: string;
  /** Why it is in its new status, in a user's words. @default null: it speaks for itself */
  readonly statusReason?: string | null;
}

/** What a backend knows of a volume when it is made; what is absent stays as it was. */
export interface FinishedCreate extends StatusChange {
  readonly serviceId?: string;
  readonly sharedTargets?: boolean;
  readonly providerLocation?: string;
}

/** Where a volume was placed. */
export interface Placement {
  readonly id: string;
  /** `host@backend#pool`. */
  readonly host: string;
  readonly clusterName: string | null;
  /** The zone of the backend. */
  readonly availabilityZone: string;
}

/**
 * A named change of status, the only way a status is written after the record is made. It is conditional on what
 * `TRANSITIONS` allows and on more where the transition needs it; the step touches no row when that is not so.
 */
export function transition(name: 'finishCreate', change: FinishedCreate): Step;
export function transition(name: TransitionName, change: StatusChange): Step;
export function transition(name: TransitionName, change: FinishedCreate): Step {
  const { id, statusReason = null, serviceId = null, sharedTargets, providerLocation = null } = change;
  const known = {
    serviceId,
    providerLocation,
    sharedTargets: sharedTargets === undefined ? null : Number(sharedTargets),
  };
  return { statement: CHANGES[name].with({ id, statusReason, ...known }), rows: 1 };
}

/** A scheduler's decision. Only for a volume in `creating`. */
export function placeVolume({ id, host, clusterName, availabilityZone }: Placement): Step {
  return { statement: place.with({ id, host, clusterName, availabilityZone }), rows: 1 };
}

/**
 * Takes a placement back, so that another backend can be chosen, and notes where it was: what was made there is to be put
 * away. Only for a volume that is being made.
 */
export function unplaceVolume(id: string): readonly Step[] {
  return [noteLeftover(id), { statement: unplace.with({ id }), rows: 1 }];
}

/**
 * Destroys the record of a volume that no backend has, in any status. Not while its creation is still being decided
 * (a staged row of work). Rule: cinder/volume/api.py, `delete`.
 */
export function destroyUnplaced(id: string): Step {
  return { statement: destroyWithoutHost.with({ id }), rows: 1 };
}

interface ChangeParams {
  readonly id: string;
  readonly statusReason: string | null;
  readonly serviceId: string | null;
  readonly sharedTargets: number | null;
  readonly providerLocation: string | null;
}

type Values = UpdateObject<Schema, 'volumes'>;
type Condition = (eb: ExpressionBuilder<Schema, 'volumes'>) => ReturnType<typeof eb.and>;

/** What a transition writes beside the status, and what it demands beside the status it comes from. */
interface Extra {
  readonly values?: (tools: Tools, p: ChangeParams) => Values;
  readonly where?: Condition;
}

/** The status before is kept for those who must give the volume back. */
function deletionBegun({ now }: Tools): Values {
  return { terminated_at: now, previous_status: sql<string>`status` };
}

function destroyed({ now }: Tools): Values {
  return { deleted_at: now, migration_status: null };
}

const EXTRAS: Readonly<Partial<Record<TransitionName, Extra>>> = {
  finishCreate: {
    values: ({ now }, p) => ({
      launched_at: now,
      service_id: sql<string | null>`coalesce(${p.serviceId}, service_id)`,
      shared_targets: sql<number | null>`coalesce(${p.sharedTargets}, shared_targets)`,
      provider_location: sql<string | null>`coalesce(${p.providerLocation}, provider_location)`,
    }),
  },
  beginDelete: { values: deletionBegun, where: canBeDeleted },
  beginDeleteUnmanaged: { values: deletionBegun, where: canBeDeleted },
  beginForceDelete: { values: deletionBegun, where: canBeDeleted },
  finishDelete: { values: destroyed },
  undoCreate: { values: destroyed },
};

/** Not attached, not migrating, in no group, and nobody copies from it. Rule: cinder/volume/api.py, `delete`. */
function canBeDeleted(eb: ExpressionBuilder<Schema, 'volumes'>) {
  const clones = eb
    .selectFrom('volumes as clone')
    .select('clone.id')
    .whereRef('clone.source_volume_id', '=', 'volumes.id')
    .where('clone.status', 'in', ['creating', 'downloading'])
    .where('clone.deleted_at', 'is', null);
  return eb.and([
    eb('attach_status', '!=', 'attached'),
    eb.or([eb('migration_status', 'is', null), eb('migration_status', 'in', ['deleting', 'error', 'success'])]),
    eb('group_id', 'is', null),
    eb.not(eb.exists(clones)),
  ]);
}

function change(name: TransitionName): Statement<ChangeParams> {
  const { from, to } = TRANSITIONS[name];
  const { values, where }: Extra = EXTRAS[name] ?? {};
  return statement<ChangeParams>()((tools, p) => {
    const update = changeLive(tools, p.id)
      .set({ status: to, status_reason: p.statusReason, ...values?.(tools, p) })
      .where('status', 'in', [...from]);
    return where ? update.where(where) : update;
  });
}

/** Counts the change of a live volume. */
export const changeLive = ({ db, now }: Tools, id: string) =>
  db
    .updateTable('volumes')
    .set((eb) => ({ revision: eb('revision', '+', 1), updated_at: now }))
    .where('id', '=', id)
    .where('deleted_at', 'is', null);

const CHANGES = Object.fromEntries(
  (Object.keys(TRANSITIONS) as TransitionName[]).map((name) => [name, change(name)]),
) as Readonly<Record<TransitionName, Statement<ChangeParams>>>;

const place = statement<Placement>()((tools, p) =>
  changeLive(tools, p.id)
    .set({
      host: p.host,
      cluster_name: p.clusterName,
      availability_zone: p.availabilityZone,
      scheduled_at: tools.now,
    })
    .where('status', '=', 'creating'),
);

const unplace = statement<{ id: string }>()((tools, p) =>
  changeLive(tools, p.id)
    .set({ status: 'creating', host: null, cluster_name: null, scheduled_at: tools.now })
    .where('status', 'in', ['creating', 'downloading']),
);

const destroyWithoutHost = statement<{ id: string }>()((tools, p) =>
  changeLive(tools, p.id)
    .set({ status: TRANSITIONS.finishDelete.to, status_reason: null, terminated_at: tools.now, ...destroyed(tools) })
    .where('host', 'is', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('workers')
            .select('workers.resource_id')
            .where('workers.resource_type', '=', 'Volume')
            .whereRef('workers.resource_id', '=', 'volumes.id')
            .where('workers.state', '=', 'staged'),
        ),
      ),
    ),
);
