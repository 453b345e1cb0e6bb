import type { AnyDesc, DescFile } from '@bufbuild/protobuf';

/** Where something is written; lines and columns from 0. */
export interface Span {
  readonly start: { readonly line: number; readonly column: number };
  /** Behind its last character. */
  readonly end: { readonly line: number; readonly column: number };
}

/** Where the declarations of a file are, and what is said of them. */
export interface Places {
  /** Throws for what is not declared in the file. */
  readonly of: (desc: AnyDesc) => Span;
  readonly ofImport: (index: number) => Span;
  /** The comment above a declaration, without the marks; empty: none. */
  readonly comment: (desc: AnyDesc) => string;
}

/** Field numbers of google/protobuf/descriptor.proto. */
const FILE = { dependency: 3, message: 4, enum: 5, service: 6 };
const MESSAGE = { field: 2, nested: 3, enum: 4, oneof: 8 };
const METHOD = 2;

/** Reads the places that buf left in a file's descriptor. */
export function placesOf({ proto, name }: DescFile): Places {
  const locations = new Map(proto.sourceCodeInfo?.location.map((location) => [location.path.join('.'), location]));
  const spanAt = (path: readonly number[]): Span => {
    const [line = 0, column = 0, ...last] = locations.get(path.join('.'))?.span ?? [];
    const [endLine = line, endColumn] = last.length === 1 ? [line, ...last] : last;
    if (endColumn === undefined) throw new Error(`it is not known where ${name} has ${path.join('.')}`);
    return { start: { line, column }, end: { line: endLine, column: endColumn } };
  };
  return {
    of: (desc) => spanAt(pathOf(desc)),
    ofImport: (index) => spanAt([FILE.dependency, index]),
    comment: (desc) => locations.get(pathOf(desc).join('.'))?.leadingComments.trim().replace(/\n\s*/g, ' ') ?? '',
  };
}

/** As google/protobuf/descriptor.proto numbers declarations: each by its kind and its place among its kind. */
function pathOf(desc: AnyDesc): readonly number[] {
  switch (desc.kind) {
    case 'message':
      return desc.parent
        ? [...pathOf(desc.parent), MESSAGE.nested, desc.parent.proto.nestedType.indexOf(desc.proto)]
        : [FILE.message, desc.file.proto.messageType.indexOf(desc.proto)];
    case 'enum':
      return desc.parent
        ? [...pathOf(desc.parent), MESSAGE.enum, desc.parent.proto.enumType.indexOf(desc.proto)]
        : [FILE.enum, desc.file.proto.enumType.indexOf(desc.proto)];
    case 'field':
      return [...pathOf(desc.parent), MESSAGE.field, desc.parent.proto.field.indexOf(desc.proto)];
    case 'oneof':
      return [...pathOf(desc.parent), MESSAGE.oneof, desc.parent.proto.oneofDecl.indexOf(desc.proto)];
    case 'service':
      return [FILE.service, desc.file.proto.service.indexOf(desc.proto)];
    case 'rpc':
      return [...pathOf(desc.parent), METHOD, desc.parent.proto.method.indexOf(desc.proto)];
    default:
      throw new Error(`${desc.kind} has no place`);
  }
}
