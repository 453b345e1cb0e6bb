import type { Cut } from './message-cut.js';
import { withoutFields } from './message-cut.js';
import { cutOf, type FieldRule, type MessageRules } from './message-rules.js';
import { OBJECT_VERSIONS } from './object-history.js';
import { type Level, isNewer } from './older-form.js';
import { type AnyMethod, type AnyService, methodNameOf } from './service-definition.js';
import { compareVersions, compatible, versionOf } from './version-number.js';
import type { InternalApi, InternalMethod } from './versions.js';

/** What one method's messages lose to a process of this age; undefined: nothing. */
export interface OwnCuts {
  /** Of requests: what it would not see. */
  readonly unseen: Cut | undefined;
  /** Of responses: what it would not say. */
  readonly unsaid: Cut | undefined;
  /** The same where callers know only an older entry of the object history, by the entry; empty: they know all that is in it. */
  readonly unsaidTo: ReadonlyMap<string, Cut>;
}

/**
 * What a process knows of an API that it serves. One that runs as an older version has not the newer methods, does not see
 * the newer fields, whichever way they come, and does not answer with them. Worked out once.
 */
export class OwnForm {
  readonly #level: Level;
  readonly #definitions: ReadonlyMap<string, AnyMethod>;
  readonly #cuts: ReadonlyMap<string, OwnCuts>;

  constructor(definition: AnyService, api: InternalApi, level: Level) {
    const newer = (field: FieldRule, owner: MessageRules): boolean => isNewer(field, owner, level);
    this.#level = level;
    this.#definitions = new Map(Object.values(definition).map((method) => [methodNameOf(method.path), method]));
    this.#cuts = new Map(
      [...api.methods.values()].map(({ name, request, response }) => [
        name,
        {
          unseen: cutOf(request, newer),
          unsaid: cutOf(response, newer, { reword: true }),
          unsaidTo: unsaidTo(response, level),
        },
      ]),
    );
  }

  /** Whether the method is there at all. */
  knows({ since }: InternalMethod): boolean {
    return compatible(this.#level.rpc, since);
  }

  cutsOf(method: string): OwnCuts {
    return this.#cuts.get(method) ?? NO_CUTS;
  }

  /** An encoded request as this process sees it. Bytes that nobody can read stay as they are, for who reads them. */
  seen(method: string, args: Buffer): Buffer {
    const { unseen } = this.cutsOf(method);
    const definition = this.#definitions.get(method);
    if (!unseen || !definition) return args;
    try {
      const request = definition.requestDeserialize(args) as object;
      return (definition.requestSerialize as (request: object) => Buffer)(withoutFields(request, unseen));
    } catch {
      return args;
    }
  }
}

const NO_CUTS: OwnCuts = { unseen: undefined, unsaid: undefined, unsaidTo: new Map() };

function unsaidTo(response: MessageRules, { rpc, objects: own }: Level): ReadonlyMap<string, Cut> {
  const older = OBJECT_VERSIONS.filter((entry) => compareVersions(versionOf(entry), own) < 0);
  return new Map(
    older.flatMap((entry) => {
      const level = { rpc, objects: versionOf(entry) };
      const cut = cutOf(response, (field, owner) => isNewer(field, owner, level), { reword: true });
      return cut ? [[entry, cut] as const] : [];
    }),
  );
}
