import { readFileSync } from 'node:fs';
import { createFileRegistry, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/** All our protos, as buf built them: parsed, and byte by byte for reflection. */
export interface Descriptors {
  readonly registry: FileRegistry;
  /** File name → the encoded FileDescriptorProto, with its custom options as they are. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Where the build leaves the descriptor set. */
const BUILT = new URL('../descriptors.binpb', import.meta.url);

/** Reads a descriptor set; once a process is enough. Throws when the file is missing or broken. */
export function readDescriptors(file: URL | string = BUILT): Descriptors {
  return descriptorsFrom(readFileSync(file));
}

/** Parses an encoded `google.protobuf.FileDescriptorSet`. */
export function descriptorsFrom(bytes: Buffer): Descriptors {
  const set = fromBinary(FileDescriptorSetSchema, bytes);
  const encoded = fieldsOf(bytes);
  return {
    registry: createFileRegistry(set),
    files: new Map(set.file.map(({ name }, index) => [name, encoded[index] ?? Buffer.alloc(0)])),
  };
}

/** The set is one repeated field; encoding the parsed files again would drop what the parser does not know. */
function fieldsOf(bytes: Buffer): Buffer[] {
  const reader = new BinaryReader(bytes);
  const fields: Buffer[] = [];
  while (reader.pos < reader.len) {
    reader.tag();
    fields.push(Buffer.from(reader.bytes()));
  }
  return fields;
}
