import type { MessageRules } from './message-rules.js';
import { isNewer, type Level } from './older-form.js';
import { compatible, formatVersion } from './version-number.js';
import type { InternalApi, InternalMethod } from './versions.js';

/** What cannot be said to a receiver of some age. */
export interface Loss {
  readonly kind: 'method refused' | 'method reworded' | 'field dropped' | 'field reworded' | 'field refused';
  /** `CreateSnapshot`, `CreateVolumeRequest.backup_id`, or `Volume.use_quota` of an object. */
  readonly what: string;
  /** The version that brought it: of the API, or of the object. */
  readonly since: string;
  /** Of a reworded method: the name it had. */
  readonly instead?: string;
}

/**
 * What a sender that speaks `own` cannot say to a receiver that speaks `level`, from the rules: methods, then fields. `former`:
 * what a method was called before it had its name.
 */
export function lossesBelow(
  api: InternalApi,
  {
    level,
    own,
    former,
  }: { readonly level: Level; readonly own: Level; readonly former: (method: string) => string | undefined },
): readonly Loss[] {
  const said = [...api.methods.values()].filter(({ since }) => compatible(own.rpc, since));
  const isKnown = ({ since }: InternalMethod): boolean => compatible(level.rpc, since);
  const methods = said
    .filter((method) => !isKnown(method))
    .map(({ name, since }): Loss => {
      const instead = former(name);
      const lost = { what: name, since: formatVersion(since) };
      return instead === undefined
        ? { kind: 'method refused', ...lost }
        : { kind: 'method reworded', ...lost, instead };
    });
  const fields = new Map<string, Loss>();
  for (const { request } of said.filter(isKnown)) {
    for (const loss of fieldsBelow(request, level, own)) fields.set(loss.what, loss);
  }
  return [...methods, ...fields.values()];
}

function fieldsBelow(rules: MessageRules, level: Level, own: Level): readonly Loss[] {
  const owner = rules.object?.name ?? rules.typeName.slice(rules.typeName.lastIndexOf('.') + 1);
  const mine = rules.fields.flatMap((field): Loss[] =>
    field.since && isNewer(field, rules, level) && !isNewer(field, rules, own)
      ? [
          {
            kind: field.refuseBelow ? 'field refused' : field.former ? 'field reworded' : 'field dropped',
            what: `${owner}.${field.name}`,
            since: formatVersion(field.since),
          },
        ]
      : [],
  );
  return [...mine, ...rules.inside.flatMap(({ rules: inner }) => fieldsBelow(inner, level, own))];
}
