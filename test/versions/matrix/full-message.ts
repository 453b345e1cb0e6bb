import {
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';

/** Encodes a message in which every field says something, at every depth; of a oneof the first. */
export function fullMessage(desc: DescMessage): Buffer {
  return Buffer.from(toBinary(desc, fromJson(desc, fullJson(desc, []))));
}

/** The fields that an encoded message holds, e.g. `request_spec.volume_type.name`, in the order of the proto. */
export function pathsIn(desc: DescMessage, bytes: Uint8Array): readonly string[] {
  return pathsBelow(desc, toJson(desc, fromBinary(desc, bytes), { useProtoFieldName: true }) as JsonObject);
}

/** Each in few words: a message that is missing as a whole is named once. */
export function missingFrom(paths: readonly string[], expected: readonly string[]): readonly string[] {
  const isThere = (path: string): boolean => paths.some((one) => one === path || one.startsWith(`${path}.`));
  const missing = expected
    .filter((path) => !isThere(path))
    .map((path) => {
      const parts = path.split('.');
      return parts.map((_, index) => parts.slice(0, index + 1).join('.')).find((prefix) => !isThere(prefix)) ?? path;
    });
  return [...new Set(missing)];
}

function fullJson(desc: DescMessage, outer: readonly string[]): JsonObject {
  const path = [...outer, desc.typeName];
  const fields = desc.fields.filter(
    (field) => (!field.oneof || field.oneof.fields[0] === field) && !path.includes(field.message?.typeName ?? ''),
  );
  return Object.fromEntries(fields.map((field) => [field.jsonName, fullValue(field, path)]));
}

function fullValue(field: DescField, path: readonly string[]): JsonValue {
  switch (field.fieldKind) {
    case 'list':
      return [single(field, field.listKind === 'scalar' ? field.scalar : undefined, path)];
    case 'map':
      return { key: single(field, field.mapKind === 'scalar' ? field.scalar : undefined, path) };
    default:
      return single(field, field.fieldKind === 'scalar' ? field.scalar : undefined, path);
  }
}

function single(field: DescField, scalar: ScalarType | undefined, path: readonly string[]): JsonValue {
  if (field.message) return GOOGLES[field.message.typeName] ?? fullJson(field.message, path);
  if (field.enum) return (field.enum.values[1] ?? field.enum.values[0])?.name ?? '';
  if (scalar === ScalarType.BOOL) return true;
  if (scalar === ScalarType.BYTES) return Buffer.from(field.name).toString('base64');
  return scalar === ScalarType.STRING ? field.name : field.number;
}

/** Google's own types as JSON has them. */
const GOOGLES: Readonly<Record<string, JsonValue>> = {
  'google.protobuf.Timestamp': '2026-01-02T03:04:05Z',
  'google.protobuf.Struct': { key: 'value' },
};

function pathsBelow(desc: DescMessage, json: JsonObject): readonly string[] {
  return desc.fields.flatMap((field) => {
    const value = json[field.name];
    if (value === undefined) return [];
    if (!field.message || field.message.typeName in GOOGLES) return [field.name];
    const messages = field.fieldKind === 'message' ? [value] : Object.values(value as JsonObject);
    const inner = messages.flatMap((one) => pathsBelow(field.message, one as JsonObject));
    return inner.length > 0 ? [...new Set(inner)].map((path) => `${field.name}.${path}`) : [field.name];
  });
}
