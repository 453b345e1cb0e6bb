import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import { type Cut, type FieldPlace, isSet, messagesAt } from './message-cut.js';
import { type Former, formerOf } from './object-forms.js';
import type { RpcOptions } from './rpc-options.js';
import { type Version, versionOf } from './version-number.js';

/** A field that has a rule. */
export interface FieldRule {
  /** As in the proto, e.g. `backup_id`. */
  readonly name: string;
  /** With its message, e.g. `cinder.objects.v1.Volume.use_quota`. */
  readonly fullName: string;
  readonly place: FieldPlace;
  /** Of the API in a request, of the object in a versioned object; absent: it was always there. */
  readonly since: Version | undefined;
  /** Whether a request that holds it is refused rather than sent without it. */
  readonly refuseBelow: boolean;
  readonly adminOnly: boolean;
  readonly secret: boolean;
  /** How it was said before it had its form; undefined: not at all. */
  readonly former?: Former | undefined;
}

/** A message and the rules of its fields and of the messages in them. Messages without any have none. */
export interface MessageRules {
  readonly typeName: string;
  /** Cinder's name and version of a versioned object. */
  readonly object: { readonly name: string; readonly version: Version } | undefined;
  readonly fields: readonly FieldRule[];
  readonly inside: readonly { readonly place: FieldPlace; readonly rules: MessageRules }[];
}

/** Reads the rules of a message. A type inside itself, and Google's own types, have none: ts-proto gives those other forms. */
export function messageRules(desc: DescMessage, options: RpcOptions, outer: readonly string[] = []): MessageRules {
  const path = [...outer, desc.typeName];
  const object = options.objectOf(desc);
  return {
    typeName: desc.typeName,
    object: object && { name: object.name, version: versionOf(object.version) },
    fields: desc.fields.map((field) => fieldRule(field, options, object?.name)).filter(hasRule),
    inside: desc.fields.flatMap((field) => {
      const inner = messageIn(field);
      if (!inner || inner.typeName.startsWith('google.') || path.includes(inner.typeName)) return [];
      const rules = messageRules(inner, options, path);
      return rules.object !== undefined || rules.fields.length > 0 || rules.inside.length > 0
        ? [{ place: placeOf(field), rules }]
        : [];
    }),
  };
}

/** The rules of the fields that are `wanted`, and of the messages that hold any; undefined: none, so that nothing need be walked. */
export function only(
  rules: MessageRules,
  wanted: (field: FieldRule, owner: MessageRules) => boolean,
): MessageRules | undefined {
  const fields = rules.fields.filter((field) => wanted(field, rules));
  const inside = rules.inside.flatMap(({ place, rules: inner }) => {
    const kept = only(inner, wanted);
    return kept ? [{ place, rules: kept }] : [];
  });
  return fields.length > 0 || inside.length > 0 ? { ...rules, fields, inside } : undefined;
}

/**
 * The cut that takes out every field `unwanted` says; undefined when there is none, so that nothing need be walked. `reword`: what
 * had another form before is said in it, as a sender does; a receiver does not see what it does not know.
 */
export function cutOf(
  rules: MessageRules,
  unwanted: (field: FieldRule, owner: MessageRules) => boolean,
  { reword = false }: { readonly reword?: boolean } = {},
): Cut | undefined {
  const out = rules.fields.filter((field) => unwanted(field, rules));
  const clear = out.map(({ place }) => place);
  const formers = reword ? out.flatMap(({ former }) => former ?? []) : [];
  const inside = rules.inside.flatMap(({ place, rules: inner }) => {
    const cut = cutOf(inner, unwanted, { reword });
    return cut ? [{ place, cut }] : [];
  });
  if (clear.length === 0 && inside.length === 0) return undefined;
  return {
    clear,
    inside,
    ...(formers.length > 0 && { former: (message) => formers.reduce((said, say) => say(said), message) }),
  };
}

function fieldRule(field: DescField, options: RpcOptions, object: string | undefined): FieldRule {
  const { since, refuseBelow, adminOnly, secret } = options.fieldOf(field);
  return {
    name: field.name,
    fullName: `${field.parent.typeName}.${field.name}`,
    place: placeOf(field),
    since: since ? versionOf(since) : undefined,
    refuseBelow,
    adminOnly,
    secret,
    former: object === undefined ? undefined : formerOf(object, field.name),
  };
}

function hasRule({ since, adminOnly, secret }: FieldRule): boolean {
  return since !== undefined || adminOnly || secret;
}

/** `localName` is ts-proto's property name, except that a oneof's fields share the property of the oneof. */
export function placeOf(field: DescField): FieldPlace {
  return field.oneof
    ? { property: field.oneof.localName, oneofCase: field.localName, empty: undefined }
    : { property: field.localName, empty: emptyOf(field) };
}

const NO_ITEMS: readonly never[] = [];
const NO_ENTRIES: ReadonlyMap<never, never> = new Map<never, never>();
const NO_BYTES = Buffer.alloc(0);

function emptyOf(field: DescField): unknown {
  if (field.fieldKind === 'list') return NO_ITEMS;
  if (field.fieldKind === 'map') return NO_ENTRIES;
  if (field.fieldKind === 'message' || field.presence !== FeatureSet_FieldPresence.IMPLICIT) return undefined;
  // stringEnums: an enum's zero value is its name
  return field.fieldKind === 'enum' ? field.enum.values[0]?.name : zeroOf(field.scalar);
}

function zeroOf(scalar: ScalarType): unknown {
  if (scalar === ScalarType.BOOL) return false;
  if (scalar === ScalarType.STRING) return '';
  return scalar === ScalarType.BYTES ? NO_BYTES : 0;
}

function messageIn(field: DescField): DescMessage | undefined {
  if (field.fieldKind === 'message') return field.message;
  if (field.fieldKind === 'list' && field.listKind === 'message') return field.message;
  if (field.fieldKind === 'map' && field.mapKind === 'message') return field.message;
  return undefined;
}

/** The fields with rules that are set in a message, at any depth; one that several messages have set, several times. */
export function setFields(message: object, rules: MessageRules, found: FieldRule[] = []): readonly FieldRule[] {
  for (const field of rules.fields) if (isSet(message, field.place)) found.push(field);
  for (const { place, rules: inner } of rules.inside) {
    for (const nested of messagesAt(message, place)) setFields(nested, inner, found);
  }
  return found;
}
