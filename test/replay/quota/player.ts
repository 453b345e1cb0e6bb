import { randomUUID } from 'node:crypto';
import { RowCountMismatch } from '#src/db/store.js';
import { Fault, isFault } from '#src/errors/fault.js';
import type { ReserveAnswer } from '#src/quota/quota.js';
import { PER_TYPE } from '#src/quota/resources.js';
import type { OverFacts, RecordRow, State, UsageRow } from './state.js';
import type { World } from './world.js';

/** One operation of a sequence. */
export type Op =
  | ({ readonly op: 'reserve' } & Reserve)
  | { readonly op: 'commit' | 'rollback'; readonly id: number; readonly project?: string }
  | { readonly op: 'set_override'; readonly project: string; readonly resource: string; readonly limit: number | null }
  | { readonly op: 'delete_override'; readonly project: string; readonly resource: string }
  | { readonly op: 'delete_overrides'; readonly project: string }
  | { readonly op: 'set_class'; readonly class: string; readonly resource: string; readonly limit: number | null }
  | { readonly op: 'delete_class'; readonly class: string; readonly resource: string }
  | { readonly op: 'record_add'; readonly record: RecordRow }
  | { readonly op: 'record_remove'; readonly key: string }
  | { readonly op: 'refresh'; readonly project: string; readonly resources: readonly string[] }
  | { readonly op: 'advance' | 'expire'; readonly seconds: number }
  | { readonly op: 'sweep' }
  | { readonly op: 'show'; readonly project: string; readonly quota_class?: string }
  | { readonly op: 'type_add' | 'type_delete'; readonly name: string }
  | { readonly op: 'type_rename'; readonly name: string; readonly to: string }
  | { readonly op: 'quota_sync'; readonly project: string };

interface Reserve {
  readonly project: string;
  readonly deltas: Readonly<Record<string, number>>;
  readonly volume_type?: string;
  /** Seconds. */
  readonly ttl?: unknown;
  readonly quota_class?: string;
}

/** What an operation answered, and the usage after it. */
export interface Step extends Partial<Omit<OverFacts, 'quotas'>> {
  readonly outcome: string;
  /** Limits; of a show with what is used of them. */
  readonly quotas?: Readonly<Record<string, number | (UsageRow & { readonly limit: number })>>;
  readonly error?: string;
  readonly id?: number;
  readonly unknown?: readonly string[];
  readonly deltas?: Readonly<Record<string, number>>;
  readonly now?: number;
  readonly expired?: readonly number[];
  readonly live_before?: boolean;
  readonly live_after?: boolean;
  /** Project → resource → usage, of the resources that Cinder has a row for. */
  readonly usage?: Readonly<Record<string, Readonly<Record<string, UsageRow>>>>;
}

type Amounts = Readonly<Record<string, number>>;

/** A reservation of the case: its number there is its place. */
interface Reserved {
  readonly id: string;
  readonly project: string;
  readonly deltas: Amounts;
  /** Of the case's clock, s. */
  readonly expiresAt: number;
  /** Nobody has settled it, and no sweep has taken it. */
  isOpen: boolean;
}

const DAY_S = 86_400;

/** Plays the operations of one case, one after the other. */
export class Player {
  readonly #world: World;
  readonly #reservations: Reserved[] = [];
  /**
   * `project resource` → the amount below 0 that the case begins with. Cinder counts such a one anew when it is reserved next
   * and shows it until then; the product has none, and has counted it already.
   */
  readonly #negative = new Map<string, number>();
  readonly #expireS: number;
  /** What the product said of the last settlement. */
  word = '';

  constructor(world: World, { usages = {}, config = {} }: State) {
    this.#world = world;
    this.#expireS = config.reservation_expire ?? DAY_S;
    for (const [project, rows] of Object.entries(usages)) {
      for (const [name, { in_use: inUse }] of Object.entries(rows)) {
        if (inUse < 0) this.#negative.set(`${project} ${name}`, inUse);
      }
    }
  }

  /** Answers in the form of `wanted`: the usage of what that names. */
  async play(op: Op, wanted: Step): Promise<Step> {
    await this.#world.clock.advance(0);
    const answer = await this.#answer(op);
    return { ...answer, ...(wanted.usage && { usage: await this.#usage(wanted.usage) }) };
  }

  /** Whether what is reserved is what has not expired, in every project. */
  async holdsNothingExpired(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const project of new Set(this.#reservations.map((one) => one.project))) {
      const held = new Map<string, number>();
      for (const one of this.#reservations.filter((each) => each.project === project)) {
        const counts = one.isOpen && one.expiresAt > this.#world.clock.now;
        for (const [name, delta] of Object.entries(one.deltas)) {
          held.set(name, (held.get(name) ?? 0) + (counts ? Math.max(0, delta) : 0));
        }
      }
      const usage = await this.#world.usage(project, [...held.keys()]);
      for (const [name, amount] of held) {
        const { reserved } = usage[name] ?? {};
        if (reserved !== amount) wrong.push(`${project} holds ${reserved} ${name} instead of ${amount}`);
      }
    }
    return wrong;
  }

  async #answer(op: Op): Promise<Step> {
    const world = this.#world;
    const { clock } = world;
    switch (op.op) {
      case 'reserve':
        return this.#reserve(op);
      case 'commit':
      case 'rollback':
        return this.#settle(op.op, op.id, op.project);
      case 'advance':
        await clock.advance(op.seconds);
        return { outcome: 'ok', now: clock.now };
      case 'expire':
      case 'sweep':
        await clock.advance(op.op === 'expire' ? op.seconds : 0);
        return { outcome: 'ok', now: clock.now, expired: await this.#swept() };
      case 'show':
        return { outcome: 'ok', quotas: await world.show(op.project, op.quota_class) };
      case 'refresh':
        for (const name of op.resources) this.#negative.delete(`${op.project} ${name}`);
        return done(world.refresh(op.project, op.resources));
      case 'set_override':
        return done(world.setLimit(op.project, op.resource, op.limit));
      case 'delete_override':
        return done(world.deleteLimit(op.project, op.resource), 'ProjectQuotaNotFound');
      case 'delete_overrides':
        return done(world.deleteLimits(op.project));
      case 'set_class':
        return done(world.setClassLimit(op.class, op.resource, op.limit));
      case 'delete_class':
        return done(world.deleteClassLimit(op.class, op.resource), 'QuotaClassNotFound');
      case 'record_add':
        return done(world.addRecord(op.record));
      case 'record_remove':
        return done(world.removeRecord(op.key));
      case 'type_add':
        return done(world.addType(op.name));
      case 'type_rename':
        return done(world.renameType(op.name, op.to));
      case 'type_delete': {
        const stays = await world.deleteType(op.name);
        if (!stays) return { outcome: 'ok' };
        return { outcome: 'error', error: stays.isUsed ? 'VolumeTypeInUse' : 'VolumeTypeDeletionError' };
      }
      case 'quota_sync':
        throw new Error('nobody plays quota_sync: what it does differs from the first time on');
    }
  }

  async #reserve({ project, deltas: given, volume_type: type, ttl, quota_class: quotaClass }: Reserve): Promise<Step> {
    const deltas = type === undefined ? given : { ...given, ...ofType(given, type) };
    const shown = type === undefined ? {} : { deltas };
    const negative = Object.keys(deltas).filter((name) => this.#negative.has(`${project} ${name}`));
    if (negative.length > 0) await this.#world.refresh(project, negative);
    const id = randomUUID();
    const options = {
      id,
      ...(ttl !== undefined && { ttlMs: inMs(ttl) }),
      ...(quotaClass !== undefined && { quotaClass }),
    };
    let reply: ReserveAnswer;
    try {
      reply = await this.#world.reserve(project, deltas, options);
    } catch (error) {
      if (!isFault(error)) throw error;
      const unknown = Fault.is(error, 'QuotaResourceUnknown') ? { unknown: error.facts.unknown } : {};
      return { outcome: 'error', error: error.name, ...unknown, ...shown };
    }
    if (reply.answer !== 'reserved') return { ...(await this.#over(project, deltas, reply, quotaClass)), ...shown };
    for (const name of negative) this.#negative.delete(`${project} ${name}`);
    const expiresAt = this.#world.clock.now + (typeof ttl === 'number' ? ttl : this.#expireS);
    const number = this.#reservations.push({ id, project, deltas, expiresAt, isOpen: true }) - 1;
    return { outcome: 'ok', id: number, ...shown };
  }

  /** The figures of what is over are the decision's; of the others, which were not touched, as they are. */
  async #over(
    project: string,
    deltas: Amounts,
    { over }: ReserveAnswer & { readonly answer: 'over' | 'overflow' },
    quotaClass?: string,
  ): Promise<Step> {
    const world = this.#world;
    const names = Object.keys(deltas);
    const limitOf = await world.limits.of(project, quotaClass);
    const byKey = new Map(over.map((one) => [one.resource, one]));
    const quotas = names.map((name) => [name, byKey.get(world.key(name))?.limit ?? limitOf(world.key(name))]);
    const usages = Object.entries(await world.usage(project, names)).map(([name, usage]) => {
      const one = byKey.get(world.key(name));
      return [name, one ? { in_use: one.inUse, reserved: one.reserved } : usage];
    });
    return {
      outcome: 'over',
      overs: names.filter((name) => byKey.has(world.key(name))).sort(),
      quotas: Object.fromEntries(quotas) as OverFacts['quotas'],
      usages: Object.fromEntries(usages) as OverFacts['usages'],
    };
  }

  async #settle(verb: 'commit' | 'rollback', number: number, by?: string): Promise<Step> {
    const one = this.#reservations[number];
    const project = one?.project ?? by ?? '';
    const id = one?.id ?? randomUUID();
    const isLive = async () => (await this.#world.live(project)).includes(id);
    const before = await isLive();
    this.word = await this.#world.settle(verb, by ?? project, id);
    const after = await isLive();
    if (one && before && !after) one.isOpen = false;
    return { outcome: 'ok', live_before: before, live_after: after };
  }

  /** Numbers of what a sweep would take now: gone, though nobody has settled it. */
  async #swept(): Promise<readonly number[]> {
    const taken: number[] = [];
    for (const [number, one] of this.#reservations.entries()) {
      if (!one.isOpen || (await this.#world.live(one.project)).includes(one.id)) continue;
      one.isOpen = false;
      taken.push(number);
    }
    return taken;
  }

  async #usage(wanted: NonNullable<Step['usage']>): Promise<NonNullable<Step['usage']>> {
    const shown: Record<string, Readonly<Record<string, UsageRow>>> = {};
    for (const [project, rows] of Object.entries(wanted)) {
      const usage = await this.#world.usage(project, Object.keys(rows));
      const entries = Object.entries(usage).map(([name, { in_use: inUse, reserved }]) => [
        name,
        { in_use: this.#negative.get(`${project} ${name}`) ?? inUse, reserved },
      ]);
      shown[project] = Object.fromEntries(entries) as Readonly<Record<string, UsageRow>>;
    }
    return shown;
  }
}

/** The same amounts of the type's own resources. */
function ofType(deltas: Amounts, type: string): Amounts {
  const own = PER_TYPE.filter((name) => deltas[name] !== undefined);
  return Object.fromEntries(own.map((name) => [`${name}_${type}`, deltas[name] ?? 0]));
}

/** What is no number goes on as it is: the product shall say so. */
function inMs(seconds: unknown): number {
  return typeof seconds === 'number' ? seconds * 1_000 : (seconds as number);
}

/** `missing`: the error where there was nothing to change. */
async function done(change: Promise<void>, missing?: string): Promise<Step> {
  try {
    await change;
    return { outcome: 'ok' };
  } catch (error) {
    if (missing === undefined || !(error instanceof RowCountMismatch)) throw error;
    return { outcome: 'error', error: missing };
  }
}
