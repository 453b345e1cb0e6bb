import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Fault } from '../../errors/fault.js';

/** A proto3 string is UTF-8. The generated code's own reader would quietly put U+FFFD where it is not. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a request. Throws Fault InvalidInput for bytes that are none of its type. */
export function decoded<T>(decode: (bytes: Buffer) => T, bytes: Buffer): T {
  try {
    const reader = new BinaryReader(bytes, (text) => utf8.decode(text));
    const message = decode(reader as unknown as Buffer); // generated decoders take a reader wherever they take bytes
    // at the field number zero, and at the end of a group that none began, they leave the rest unread
    if (reader.pos !== reader.len) throw new RangeError('the message ends before its bytes do');
    return message;
  } catch (error) {
    const violations = [
      { field: '', description: 'the request cannot be decoded: its bytes are not of the message type' },
    ];
    throw new Fault('InvalidInput', { violations, omitted: 0 }, { cause: error });
  }
}
