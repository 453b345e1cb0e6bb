import { Fault } from '../errors/fault.js';
import { type Cut, withoutFields } from './message-cut.js';
import { cutOf, type FieldRule, type MessageRules, setFields } from './message-rules.js';
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
  readonly cut: Cut | undefined;
  readonly refusable: boolean;
}

/** Levels come from records, so that there are few; the bound is for records gone mad. */
const MAX_PLANS = 1_000;
const NOTHING: readonly string[] = [];
const OLDEST_OBJECTS = versionOf(OLDEST_OBJECT_VERSION);

/**
 * Puts the messages of one API into the form that an older peer understands: fields newer than it are left out, or refused
 * where leaving them out would change what happens. For a peer that knows every rule of the method the message is passed
 * on as it is.
 */
export class OlderForms {
  readonly #api: InternalApi;
  readonly #plans = new Map<string, Plan>();
  /** Methods whose version depends on what a request holds. */
  readonly #versioned: ReadonlySet<string>;

  constructor(api: InternalApi) {
    this.#api = api;
    const methods = [...api.methods.values()];
    this.#versioned = new Set(methods.filter(({ request }) => hasApiSince(request)).map(({ name }) => name));
  }

  /** Throws Fault ServiceTooOld for a method, or a field that must not be left out, which the peer does not know. */
  prepare<M extends object>(name: string, message: M, level: Level): Prepared<M> {
    const method = this.method(name, level);
    const plan = this.#plan(method, level);
    if (!plan.cut) return { method, version: this.#lowestVersion(method, message), message, dropped: NOTHING };
    const newer = [...setFields(message, method.request)].filter(({ field, owner }) => isNewer(field, owner, level));
    const refused = plan.refusable ? newer.find(({ field }) => field.refuseBelow) : undefined;
    if (refused) throw this.#tooOld(`${name} with ${refused.field.name}`, refused.field.since ?? level.rpc, level.rpc);
    const older = withoutFields(message, plan.cut);
    const dropped = newer.map(({ field, owner }) => `${owner.typeName}.${field.name}`);
    return { method, version: this.#lowestVersion(method, older), message: older, dropped };
  }

  /** Whether a message of this method needs no change for this level. Throws as `prepare` for the method itself. */
  passes(name: string, level: Level): boolean {
    return this.#plan(this.method(name, level), level).cut === undefined;
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

  #plan(method: InternalMethod, level: Level): Plan {
    const key = `${method.name} ${formatVersion(level.rpc)} ${formatVersion(level.objects)}`;
    let plan = this.#plans.get(key);
    if (!plan) {
      const cut = cutOf(method.request, (field, owner) => isNewer(field, owner, level));
      plan = {
        cut,
        refusable:
          cutOf(method.request, (field, owner) => field.refuseBelow && isNewer(field, owner, level)) !== undefined,
      };
      if (this.#plans.size >= MAX_PLANS) this.#plans.clear();
      this.#plans.set(key, plan);
    }
    return plan;
  }

  #lowestVersion(method: InternalMethod, message: object): string {
    if (!this.#versioned.has(method.name)) return formatVersion(method.since);
    let lowest = method.since;
    for (const { field, owner } of setFields(message, method.request)) {
      if (!owner.object && field.since && compareVersions(field.since, lowest) > 0) lowest = field.since;
    }
    return formatVersion(lowest);
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

function hasApiSince(rules: MessageRules): boolean {
  if (!rules.object && rules.fields.some(({ since }) => since)) return true;
  return rules.inside.some(({ rules: inner }) => hasApiSince(inner));
}
