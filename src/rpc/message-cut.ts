/** A field as ts-proto's messages hold it. */
export interface FieldPlace {
  /** Name of the property; of the oneof, for a field inside one. */
  readonly property: string;
  /** Inside a oneof: the `$case` of this field. */
  readonly oneofCase?: string;
  /** What the property holds when the field is not there. */
  readonly empty: unknown;
}

/** Fields to be taken out of a message, at any depth. */
export interface Cut {
  /** Says in older words what is taken out. @default it is lost */
  readonly former?: (message: Message) => Message;
  readonly clear: readonly FieldPlace[];
  readonly inside: readonly { readonly place: FieldPlace; readonly cut: Cut }[];
}

type Message = Readonly<Record<string, unknown>>;

/** The message without the fields of `cut`. Copies what it changes, leaves the argument as it is. */
export function withoutFields<T extends object>(message: T, cut: Cut): T {
  const copy: Record<string, unknown> = { ...(cut.former?.(message as Message) ?? (message as Message)) };
  for (const place of cut.clear) {
    if (holds(copy, place)) copy[place.property] = place.empty;
  }
  for (const { place, cut: inner } of cut.inside) {
    if (!holds(copy, place)) continue;
    copy[place.property] = cutValue(copy[place.property], place, inner);
  }
  return copy as T;
}

/** Whether the field is set, as far as its kind can tell. */
export function isSet(message: object, place: FieldPlace): boolean {
  const value = (message as Message)[place.property];
  if (value === undefined || value === null) return false;
  if (place.oneofCase !== undefined) return holds(message as Message, place);
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return value !== place.empty;
}

/** The messages a field holds: none, one, or those of a list or a map. */
export function messagesAt(message: object, place: FieldPlace): readonly object[] {
  if (!holds(message as Message, place)) return [];
  const value = (message as Message)[place.property] as object;
  if (place.oneofCase !== undefined) return [(value as { readonly value: object }).value];
  if (Array.isArray(value)) return value as object[];
  return value instanceof Map ? [...(value as Map<unknown, object>).values()] : [value];
}

function holds(message: Message, place: FieldPlace): boolean {
  const value = message[place.property];
  if (value === undefined || value === null) return false;
  return place.oneofCase === undefined || (value as { readonly $case?: string }).$case === place.oneofCase;
}

function cutValue(value: unknown, place: FieldPlace, cut: Cut): unknown {
  if (place.oneofCase !== undefined) {
    const chosen = value as { readonly $case: string; readonly value: object };
    return { ...chosen, value: withoutFields(chosen.value, cut) };
  }
  if (Array.isArray(value)) return value.map((item) => withoutFields(item as object, cut));
  if (value instanceof Map)
    return new Map([...value].map(([key, item]) => [key as unknown, withoutFields(item as object, cut)]));
  return withoutFields(value as object, cut);
}
