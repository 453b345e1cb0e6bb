import { Fault } from '../errors/fault.js';
import { type Cut, withoutFields } from './message-cut.js';
import { cutOf, type FieldRule, type MessageRules, only, setFields } from './message-rules.js';
import { objectVersionFor, OLDEST_OBJECT_VERSION } from './object-history.js';
import { compareVersions, compatible, formatVersion, type Version, versionOf } from './version-number.js';
import type { InternalApi, InternalMethod } from './versions.js';

/** What a receiver understands: a version of the API and an entry of the object history. */
export interface Level {
  readonly rpc: Version;
  readonly objects: Version;
}

/** A message in the form a receiver understands. */
export interface Prepared<M extends object> {
  readonly method: InternalMethod;
  /** The lowest version that understands what is in the message. */
  readonly version: string;
  readonly message: M;
  /** Names of the fields that were set and had to be left out. */
  readonly dropped: readonly string[];
}

/** What has to be done to any message of a method for a level; worked out once. */
interface Plan {
  readonly method: InternalMethod;
  /** What the peer does not know, and the cut that takes it out; undefined: nothing. */
  readonly newer: { readonly rules: MessageRules; readonly cut: Cut; readonly refusable: boolean } | undefined;
}

/** What makes a message of a method newer than the method; worked out once. */
interface Age {
  readonly since: string;
  readonly fields: MessageRules | undefined;
}

/** Levels come from records, so that there are few; the bound is for records gone mad. */
const MAX_LEVELS = 100;
const NOTHING: readonly string[] = [];
const OLDEST_OBJECTS = versionOf(OLDEST_OBJECT_VERSION);

/**
 * Puts the messages of one API into the form that an older peer understands: fields newer than it are left out, or refused
 * where leaving them out would change what happens. For a peer that knows every rule of the method the message is passed
 * on as it is.
 */
export class OlderForms {
  readonly #api: InternalApi;
  readonly #ages: ReadonlyMap<string, Age>;
  /** By level, then by method. */
  readonly #plans = new Map<string, Map<string, Plan>>();
  /** The plans of the level that was asked for last: it is the same one until the records are read again. */
  #last: { readonly level: Level; readonly plans: Map<string, Plan> } | undefined;

  constructor(api: InternalApi) {
    this.#api = api;
    this.#ages = new Map([...api.methods.values()].map((method) => [method.name, ageOf(method)]));
  }

  /** Throws Fault ServiceTooOld for a method, or a field that must not be left out, which the peer does not know. */
  prepare<M extends object>(name: string, message: M, level: Level): Prepared<M> {
    const { method, newer } = this.#plan(name, level);
    if (!newer) return { method, version: this.#lowestVersion(method, message), message, dropped: NOTHING };
    const lost = setFields(message, newer.rules);
    const refused = newer.refusable ? lost.find(({ refuseBelow }) => refuseBelow) : undefined;
    if (refused) throw this.#tooOld(`${name} with ${refused.name}`, refused.since ?? level.rpc, level.rpc);
    if (lost.length === 0) return { method, version: this.#lowestVersion(method, message), message, dropped: NOTHING };
    const older = withoutFields(message, newer.cut);
    const dropped = lost.flatMap(({ former, fullName }) => (former ? NOTHING : fullName));
    return { method, version: this.#lowestVersion(method, older), message: older, dropped };
  }

  /** Whether a message of this method needs no change for this level. Throws as `prepare` for the method itself. */
  passes(name: string, level: Level): boolean {
    return this.#plan(name, level).newer === undefined;
  }

  /** The rules of a method the peer knows. Throws Fault NoSuchMethod, ServiceTooOld. */
  method(name: string, level: Level): InternalMethod {
    const method = this.#api.methods.get(name);
    if (!method) throw new Fault('NoSuchMethod', { method: `${this.#api.service}/${name}` });
    if (!compatible(level.rpc, method.since)) throw this.#tooOld(name, method.since, level.rpc);
    if (compareVersions(level.objects, OLDEST_OBJECTS) < 0) {
      throw this.#tooOld(`${name} (objects)`, OLDEST_OBJECTS, level.objects);
    }
    return method;
  }

  /** Throws as `method`. */
  #plan(name: string, level: Level): Plan {
    const plans = this.#plansFor(level);
    let plan = plans.get(name);
    if (!plan) {
      const method = this.method(name, level);
      plans.set(name, (plan = { method, newer: newerIn(method.request, level) }));
    }
    return plan;
  }

  #plansFor(level: Level): Map<string, Plan> {
    if (this.#last?.level === level) return this.#last.plans;
    const key = `${formatVersion(level.rpc)} ${formatVersion(level.objects)}`;
    let plans = this.#plans.get(key);
    if (!plans) {
      if (this.#plans.size >= MAX_LEVELS) this.#plans.clear();
      this.#plans.set(key, (plans = new Map<string, Plan>()));
    }
    this.#last = { level, plans };
    return plans;
  }

  #lowestVersion({ name, since }: InternalMethod, message: object): string {
    const age = this.#ages.get(name);
    if (!age?.fields) return age?.since ?? formatVersion(since);
    let lowest = since;
    for (const { since: newer } of setFields(message, age.fields)) {
      if (newer && compareVersions(newer, lowest) > 0) lowest = newer;
    }
    return lowest === since ? age.since : formatVersion(lowest);
  }

  #tooOld(method: string, needs: Version, cap: Version): Fault {
    return new Fault('ServiceTooOld', {
      binary: this.#api.binary,
      method,
      needs: formatVersion(needs),
      cap: formatVersion(cap),
    });
  }
}

/** Whether a field is newer than what a level knows of its message. */
export function isNewer({ since }: FieldRule, owner: MessageRules, level: Level): boolean {
  if (!since) return false;
  const limit = owner.object ? objectVersionFor(level.objects, owner.object.name) : level.rpc;
  return limit !== undefined && compareVersions(since, limit) > 0;
}

function newerIn(request: MessageRules, level: Level): Plan['newer'] {
  const newer = (field: FieldRule, owner: MessageRules): boolean => isNewer(field, owner, level);
  const [rules, cut] = [only(request, newer), cutOf(request, newer, { reword: true })];
  if (!rules || !cut) return undefined;
  return { rules, cut, refusable: only(rules, ({ refuseBelow }) => refuseBelow) !== undefined };
}

/** Fields of objects are numbered apart: they make no message newer. */
function ageOf({ since, request }: InternalMethod): Age {
  const fields = only(request, (field, owner) => field.since !== undefined && owner.object === undefined);
  return { since: formatVersion(since), fields };
}
