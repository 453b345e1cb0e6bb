import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A value of a request's field that a caller might send. */
export interface BadValue {
  /** Field and value, in words. */
  readonly what: string;
  /** Of the whole request, with nothing but this field. */
  readonly bytes: Uint8Array;
  /** Whether there is nothing to be said for it: then the answer must not be OK. */
  readonly isHopeless: boolean;
}

/** How deep messages in messages are looked into. */
const MAX_DEPTH = 3;

/** Bad values of every field of a request, of whatever kind it is, and bytes that are no field of it. */
export function badValues(request: DescMessage): readonly BadValue[] {
  return [...ofMessage(request, MAX_DEPTH), ...STRANGE];
}

/** What one occurrence of a field holds. */
interface Held {
  readonly what: string;
  /** Writes tag and value. */
  readonly write: (writer: BinaryWriter, number: number) => void;
  readonly isHopeless?: boolean;
}

function ofMessage(message: DescMessage, depth: number): readonly BadValue[] {
  return message.fields.flatMap((field) =>
    heldBy(field, depth).map(({ what, write, isHopeless = false }) => {
      const writer = new BinaryWriter();
      write(writer, field.number);
      return { what: `${field.name}: ${what}`, bytes: writer.finish(), isHopeless };
    }),
  );
}

function heldBy(field: DescField, depth: number): readonly Held[] {
  switch (field.fieldKind) {
    case 'scalar':
      return [...ofScalar(field.scalar), MISTYPED];
    case 'enum':
      return [...ofEnum(field.enum), MISTYPED];
    case 'message':
      return [...ofInner(field.message, depth), MISTYPED];
    case 'list': {
      const one: readonly Held[] =
        field.listKind === 'scalar'
          ? ofScalar(field.scalar)
          : field.listKind === 'enum'
            ? ofEnum(field.enum)
            : ofInner(field.message, depth);
      return [...one, ...one.slice(0, 1).map(tooMany), MISTYPED];
    }
    case 'map': {
      const entries = ofScalar(field.mapKey).map((key) => pair(key, undefined));
      const values = field.mapKind === 'scalar' ? ofScalar(field.scalar).map((value) => pair(undefined, value)) : [];
      return [...entries, ...values, { what: 'an empty pair', write: message(new Uint8Array()) }, MANY_PAIRS, MISTYPED];
    }
  }
}

const TEXTS: readonly (readonly [what: string, value: string, isHopeless?: true])[] = [
  ['empty', ''],
  ['a space', ' '],
  ['NUL', 'a\u0000b', true],
  ['a control character', 'a\u0001b', true],
  ['an escape sequence', '\u001b[2J', true],
  ['300 characters', 'x'.repeat(300)],
  ['100,000 characters', 'x'.repeat(100_000), true],
  ['300 emoji', '🙂'.repeat(300)],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['SQL', "' or 1=1; --"],
  ['a path', '../../etc/passwd'],
  ['a Redis slot', 'a}b{c'],
  ['a host with signs', 'host@backend#pool'],
  ['a foreign id', '5f0c8a52-6a0f-4a56-9a0e-0d3c2b1a9f87'],
  ['an id in upper case', '5F0C8A52-6A0F-4A56-9A0E-0D3C2B1A9F87'],
];
/** A lone continuation, a lone surrogate, and an overlong slash. */
const NOT_UTF8: readonly (readonly number[])[] = [[0xff], [0xed, 0xa0, 0x80], [0xc0, 0xaf]];

const INTEGERS = [0n, 1n, -1n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 40n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];

function ofScalar(type: ScalarType): readonly Held[] {
  switch (type) {
    case ScalarType.STRING:
      return [
        ...TEXTS.map(([what, value, isHopeless = false]): Held => ({ what, isHopeless, write: text(value) })),
        ...NOT_UTF8.map((bytes): Held => ({
          what: `the bytes ${bytes.join(' ')}`,
          isHopeless: true,
          write: message(Uint8Array.from(bytes)),
        })),
      ];
    case ScalarType.BYTES:
      return [new Uint8Array(), new Uint8Array(100_000)].map((bytes) => ({
        what: `${bytes.length} bytes`,
        write: message(bytes),
      }));
    case ScalarType.DOUBLE:
      return [NaN, Infinity, -1, 1e308].map((value) => ({
        what: String(value),
        write: (writer, number) => writer.tag(number, WireType.Bit64).double(value),
      }));
    default:
      return INTEGERS.map((value) => ({ what: String(value), write: varint(value) }));
  }
}

function ofEnum({ values }: DescEnum): readonly Held[] {
  const known = Math.max(...values.map(({ number }) => number));
  return [0n, BigInt(known), BigInt(known) + 1n, 9_999n, -1n, 2n ** 31n - 1n].map((value) => ({
    what: `the number ${value}`,
    write: varint(value),
    isHopeless: value > known || value < 0n,
  }));
}

/** A message: empty, no message at all, and with each of its own fields wrong. */
function ofInner(inner: DescMessage, depth: number): readonly Held[] {
  const within = depth > 0 ? ofMessage(inner, depth - 1) : [];
  return [
    { what: 'an empty message', write: message(new Uint8Array()) },
    { what: 'a broken message', isHopeless: true, write: message(Uint8Array.from([0x0a, 0x7f, 0x61])) },
    ...within.map(({ what, bytes, isHopeless }) => ({ what, isHopeless, write: message(bytes) })),
  ];
}

function tooMany(one: Held): Held {
  return {
    what: '10,000 entries',
    isHopeless: true,
    write: (writer, number) => {
      for (let n = 0; n < 10_000; n++) one.write(writer, number);
    },
  };
}

function pair(key: Held | undefined, value: Held | undefined): Held {
  const writer = new BinaryWriter();
  if (key) key.write(writer, 1);
  else writer.tag(1, WireType.LengthDelimited).string('key');
  value?.write(writer, 2);
  const { what = '', isHopeless = false } = key ?? value ?? {};
  return { what: `${key ? 'the key' : 'the value'} ${what}`, isHopeless, write: message(writer.finish()) };
}

const MANY_PAIRS: Held = {
  what: '10,000 pairs',
  isHopeless: true,
  write: (writer, number) => {
    for (let n = 0; n < 10_000; n++) pair({ what: '', write: text(`k${n}`) }, undefined).write(writer, number);
  },
};

/** A decoder skips what has another wire type than the field: it is an unknown field. */
const MISTYPED: Held = {
  what: 'another wire type',
  write: (writer, number) => writer.tag(number, WireType.Bit32).fixed32(7),
};

/** Bytes that belong to no field. */
const STRANGE: readonly BadValue[] = [
  { what: 'an unknown field', bytes: unknown(1_000), isHopeless: false },
  { what: 'the largest field number', bytes: unknown(536_870_911), isHopeless: false },
  { what: 'the field number zero', bytes: Uint8Array.from([0x00, 0x01]), isHopeless: true },
  { what: 'an unfinished varint', bytes: Uint8Array.from([0x08, 0xff]), isHopeless: true },
  { what: 'a length beyond the end', bytes: Uint8Array.from([0xfa, 0x01, 0x7f, 0x61]), isHopeless: true },
  { what: 'an end of no group', bytes: Uint8Array.from([0x0c, 0x01]), isHopeless: true },
];

function unknown(number: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).string('?').finish();
}

function text(value: string): Held['write'] {
  return (writer, number) => writer.tag(number, WireType.LengthDelimited).string(value);
}

function message(bytes: Uint8Array): Held['write'] {
  return (writer, number) => writer.tag(number, WireType.LengthDelimited).bytes(bytes);
}

function varint(value: bigint): Held['write'] {
  return (writer, number) => writer.tag(number, WireType.Varint).int64(value.toString());
}
