import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { resourceKeys } from '#src/api/quota-sets.js';
import { deleteLimits, upsertClassLimit, upsertLimit } from '#src/db/quota-limits.js';
import { disownAndCount } from '#src/db/quota-sums.js';
import type { Schema } from '#src/db/schema.js';
import { statement } from '#src/db/statement.js';
import { RowCountMismatch } from '#src/db/store.js';
import {
  deleteVolumeType,
  insertVolumeType,
  type TypeStays,
  updateVolumeType,
  whyTypeStays,
} from '#src/db/volume-type-changes.js';
import { DEFAULT_LIMITS, type DefaultLimits, Limits } from '#src/quota/limits.js';
import { graceMsOf, Quota, type ReserveAnswer } from '#src/quota/quota.js';
import { Rebuild } from '#src/quota/rebuild.js';
import { LIMIT_ONLY, PER_TYPE, RESOURCES, typeKey } from '#src/quota/resources.js';
import { fieldOf, keysOf, loadQuotaScripts, type Word } from '#src/quota/scripts.js';
import { sumsOf } from '#src/quota/sums.js';
import { type Deadline, deadlineIn } from '#src/time/deadline.js';
import {
  backup,
  group,
  record as make,
  type Recorded,
  removed,
  snapshot,
  volume,
} from '../../support/quota-records.js';
import { Clock } from './clock.js';
import { type Parts, SILENT } from './parts.js';
import type { Config, RecordRow, State, UsageRow } from './state.js';

const DAY_S = 86_400;
const TABLES = { volume: 'volumes', snapshot: 'snapshots', backup: 'backups', group: 'groups' } as const;
const MANY = 10_000;

/** A case's installation: the product's engine on the records, limits and options that the case begins with. */
export class World {
  readonly quota: Quota;
  /** As long as no project has limits of its own. */
  readonly #unlimited: Quota;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly parts: Parts;
  readonly countSnapshotGib: boolean;
  /** Type name → id. */
  readonly typeIds = new Map<string, string>();
  /** The same of types that are deleted. */
  readonly goneTypeIds = new Map<string, string>();
  /** A record's key → its id; as the case wrote it. */
  readonly records = new Map<string, RecordRow & { readonly id: string }>();

  static async of(parts: Parts, state: State): Promise<World> {
    const world = new World(parts, state.config ?? {});
    await parts.redis.client.flushall();
    await parts.store.apply(EMPTY);
    for (const name of state.volume_types ?? []) await world.addType(name);
    for (const record of state.records ?? []) await world.addRecord(record);
    for (const [project, rows] of Object.entries(state.usages ?? {})) {
      await world.setUsage(project, rows);
      await world.#promise(
        project,
        Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, row.reserved])),
      );
    }
    for (const { project, deltas } of state.reserved ?? []) await world.#promise(project, deltas);
    for (const [name, rows] of Object.entries(state.classes ?? {})) {
      for (const [resource, limit] of Object.entries(rows)) await world.setClassLimit(name, resource, limit);
    }
    for (const [project, rows] of Object.entries(state.overrides ?? {})) {
      for (const [resource, limit] of Object.entries(rows)) await world.setLimit(project, resource, limit);
    }
    return world;
  }

  private constructor(parts: Parts, config: Config) {
    const { redis, store } = parts;
    this.parts = parts;
    this.clock = new Clock(redis);
    this.countSnapshotGib = !config.no_snapshot_gb_quota;
    const ttlMs = (config.reservation_expire ?? DAY_S) * 1_000;
    const scripts = loadQuotaScripts();
    const sums = { countSnapshotGib: this.countSnapshotGib };
    this.limits = new Limits({
      ...{ store, defaults: defaultsOf(config), maxAgeMs: 0 },
      useDefaultQuotaClass: config.use_default_quota_class ?? true,
    });
    const rebuild = new Rebuild({ redis, scripts, store, graceMs: graceMsOf(ttlMs), sums, log: SILENT });
    const quotaOf = (limits: Limits) => new Quota({ redis, scripts, limits, rebuild, ttlMs, log: SILENT });
    this.quota = quotaOf(this.limits);
    this.#unlimited = quotaOf(new Limits({ store, defaults: UNLIMITED, useDefaultQuotaClass: false, maxAgeMs: 0 }));
  }

  /** A resource's key. What is no resource stays what it is: the product shall say so. */
  key(name: string, typeIds: ReadonlyMap<string, string> = this.typeIds): string {
    const resource = PER_TYPE.find((one) => name.startsWith(`${one}_`));
    const id = resource && typeIds.get(name.slice(resource.length + 1));
    return resource && id !== undefined ? typeKey(resource, id) : name;
  }

  /** A type's id; of none, the one of a type outside the case. */
  typeId(name: string | null | undefined): string {
    return this.typeIds.get(name ?? '') ?? FOREIGN_TYPE;
  }

  /** Names of types by their ids. */
  get typeNames(): ReadonlyMap<string, string> {
    return new Map([...this.typeIds].map(([name, id]) => [id, name]));
  }

  async reserve(
    projectId: string,
    deltas: Readonly<Record<string, number>>,
    options: { readonly id?: string; readonly ttlMs?: number; readonly quotaClass?: string } = {},
  ): Promise<ReserveAnswer> {
    const keyed = Object.fromEntries(Object.entries(deltas).map(([name, delta]) => [this.key(name), delta]));
    return this.quota.reserve(projectId, keyed, { id: randomUUID(), ...options, deadline: soon() });
  }

  /** Reserves what the case begins with, whatever the limits. */
  async #promise(projectId: string, deltas: Readonly<Record<string, number>>): Promise<void> {
    const keyed = Object.entries(deltas).flatMap(([name, delta]) =>
      delta > 0 ? [[this.key(name), delta] as const] : [],
    );
    if (keyed.length === 0) return;
    await this.#unlimited.reserve(projectId, Object.fromEntries(keyed), { id: randomUUID(), deadline: soon() });
  }

  async settle(verb: 'commit' | 'rollback', projectId: string, id: string): Promise<Word> {
    return this.quota[verb]({ projectId, id }, soon());
  }

  /** Ids of a project's live reservations. */
  async live(projectId: string): Promise<readonly string[]> {
    return (await this.quota.list(projectId, MANY, soon())).map(({ id }) => id);
  }

  /** What a project uses of the resources, by name. */
  async usage(projectId: string, names: readonly string[]): Promise<Readonly<Record<string, UsageRow>>> {
    const everyType = new Map([...this.goneTypeIds, ...this.typeIds]);
    const keys = names.map((name) => this.key(name, everyType));
    const usage = await this.quota.usage(projectId, keys, soon());
    return Object.fromEntries(
      names.map((name, i) => {
        const { inUse = 0, reserved = 0 } = usage.get(keys[i] ?? '') ?? {};
        return [name, { in_use: inUse, reserved }];
      }),
    );
  }

  /** Limit and usage of every resource there is. */
  async show(projectId: string, quotaClass?: string) {
    const names = [...(await resourceKeys(this.parts.store)).keys()];
    const limitOf = await this.limits.of(projectId, quotaClass);
    const counted = await this.usage(
      projectId,
      names.filter((name) => name !== LIMIT_ONLY),
    );
    const nothing: UsageRow = { in_use: 0, reserved: 0 };
    return Object.fromEntries(
      names.map((name) => [name, { limit: limitOf(this.key(name)), ...(counted[name] ?? nothing) }]),
    );
  }

  /** Puts in what the records say, for these resources only: the product counts a whole project at once. */
  async refresh(projectId: string, names: readonly string[]): Promise<void> {
    const sums = sumsOf(await disownAndCount(this.parts.store, projectId), this);
    const rows = names.map((name) => [name, { in_use: sums.get(this.key(name)) ?? 0, reserved: 0 }]);
    await this.setUsage(projectId, Object.fromEntries(rows) as Record<string, UsageRow>);
  }

  /** Puts amounts in use in, whatever the records say. */
  async setUsage(projectId: string, rows: Readonly<Record<string, UsageRow>>): Promise<void> {
    await this.usage(projectId, ['volumes']); // so that it is counted now, and not over what is put in
    const known = Object.entries(rows).filter(([, { in_use }]) => in_use >= 0); // below 0 it is counted at once
    const fields = known.flatMap(([name, { in_use }]) => [fieldOf(this.key(name)), in_use]);
    if (fields.length > 0) await this.parts.redis.client.hset(keysOf(projectId).usage, ...fields);
  }

  async addType(name: string): Promise<void> {
    const id = randomUUID();
    this.typeIds.set(name, id);
    const extraSpecs = new Map<string, string>();
    await this.parts.store.apply(insertVolumeType({ id, name, description: null, isPublic: true, extraSpecs }));
  }

  /** Answers why it stays, if it does. */
  async deleteType(name: string): Promise<TypeStays | undefined> {
    const { store } = this.parts;
    const id = this.typeIds.get(name) ?? '';
    const limitKeys = PER_TYPE.map((resource) => typeKey(resource, id));
    try {
      await store.apply(deleteVolumeType(id, { configuredName: '', limitKeys }));
    } catch (error) {
      if (!(error instanceof RowCountMismatch)) throw error;
      return whyTypeStays(store, { id, configuredName: '' });
    }
    this.typeIds.delete(name);
    this.goneTypeIds.set(name, id);
    return undefined;
  }

  async renameType(name: string, to: string): Promise<void> {
    const id = this.typeIds.get(name) ?? '';
    await this.parts.store.apply([updateVolumeType(id, { name: to })]);
    this.typeIds.delete(name);
    this.typeIds.set(to, id);
  }

  async setLimit(projectId: string, name: string, limit: number | null): Promise<void> {
    const key = this.key(name);
    const isNull = limit === null ? [{ statement: nullLimit.with({ owner: projectId, key }), rows: 1 }] : [];
    await this.parts.store.apply([upsertLimit(projectId, key, limit ?? 0), ...isNull]);
  }

  async setClassLimit(className: string, name: string, limit: number | null): Promise<void> {
    const key = this.key(name);
    const isNull = limit === null ? [{ statement: nullClassLimit.with({ owner: className, key }), rows: 1 }] : [];
    await this.parts.store.apply([upsertClassLimit(className, key, limit ?? 0), ...isNull]);
  }

  async deleteLimits(projectId: string): Promise<void> {
    await this.parts.store.apply([deleteLimits(projectId)]);
  }

  /** Throws RowCountMismatch where there is none. */
  async deleteLimit(projectId: string, name: string): Promise<void> {
    await this.parts.store.apply([{ statement: dropLimit.with({ owner: projectId, key: this.key(name) }), rows: 1 }]);
  }

  /** Throws RowCountMismatch where there is none. */
  async deleteClassLimit(className: string, name: string): Promise<void> {
    const key = this.key(name);
    await this.parts.store.apply([{ statement: dropClassLimit.with({ owner: className, key }), rows: 1 }]);
  }

  async addRecord(row: RecordRow): Promise<void> {
    const { key, project: projectId, size: sizeGib = 0, use_quota: useQuota = true } = row;
    const id = await make(this.parts.store, this.#recordOf(row, { projectId, sizeGib, useQuota }));
    this.records.set(key, { ...row, id });
  }

  async removeRecord(key: string): Promise<void> {
    const record = this.records.get(key);
    if (record) await this.parts.store.apply([removed(TABLES[record.kind], record.id)]);
  }

  #recordOf({ kind, type, volume: of = '' }: RecordRow, common: Parameters<typeof volume>[0]): Recorded {
    switch (kind) {
      case 'volume':
        return volume({ ...common, volumeTypeId: this.typeId(type) });
      case 'snapshot':
        return snapshot({ ...common, volumeId: this.records.get(of)?.id ?? randomUUID() });
      case 'backup':
        return backup(common);
      case 'group':
        return group(common);
    }
  }
}

const soon = (): Deadline => deadlineIn(10_000);

const FOREIGN_TYPE = randomUUID();

function defaultsOf(config: Config) {
  return {
    volumes: config.quota_volumes ?? DEFAULT_LIMITS.volumes,
    gigabytes: config.quota_gigabytes ?? DEFAULT_LIMITS.gigabytes,
    snapshots: config.quota_snapshots ?? DEFAULT_LIMITS.snapshots,
    backups: config.quota_backups ?? DEFAULT_LIMITS.backups,
    backup_gigabytes: config.quota_backup_gigabytes ?? DEFAULT_LIMITS.backup_gigabytes,
    groups: config.quota_groups ?? DEFAULT_LIMITS.groups,
    per_volume_gigabytes: config.per_volume_size_limit ?? DEFAULT_LIMITS.per_volume_gigabytes,
  };
}

const UNLIMITED = Object.fromEntries(RESOURCES.map((name) => [name, -1])) as unknown as DefaultLimits; // every one is named

const USED = [
  ...(['volumes', 'snapshots', 'backups', 'groups'] as const),
  ...(['volume_types', 'quota_limits', 'quota_classes', 'quota_settlements', 'quota_projects'] as const),
] satisfies readonly (keyof Schema)[];

/** Takes everything away that a case works on, the type that every installation has included. */
const EMPTY = USED.map((table) => ({ statement: statement()(({ db }) => db.deleteFrom(table)).with({}) }));

interface LimitOf {
  readonly owner: string;
  readonly key: string;
}

const nullLimit = statement<LimitOf>()(({ db }, p) =>
  db
    .updateTable('quota_limits')
    .set({ hard_limit: sql<null>`null` })
    .where('project_id', '=', p.owner)
    .where('resource', '=', p.key),
);

const nullClassLimit = statement<LimitOf>()(({ db }, p) =>
  db
    .updateTable('quota_classes')
    .set({ hard_limit: sql<null>`null` })
    .where('class_name', '=', p.owner)
    .where('resource', '=', p.key),
);

const dropLimit = statement<LimitOf>()(({ db }, p) =>
  db.deleteFrom('quota_limits').where('project_id', '=', p.owner).where('resource', '=', p.key),
);

const dropClassLimit = statement<LimitOf>()(({ db }, p) =>
  db.deleteFrom('quota_classes').where('class_name', '=', p.owner).where('resource', '=', p.key),
);
