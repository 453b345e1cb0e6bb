import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { CreateVolumeResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { clientFor } from '../support/client.js';

/** What a server does with one call after the other; the last of them with all that come after. */
type Script = readonly ('answers' | 'breaks off')[];

test('an answer that breaks off is asked for again, when the call is safe to repeat', async (t) => {
  const { address, calls } = await serverFor(t, ['answers', 'breaks off', 'breaks off', 'answers']);
  const { volumes } = clientFor(t, { address });
  t.is((await volumes.createVolume({ size: 1 })).volume?.id, 'v1');
  t.is((await volumes.createVolume({ size: 1 })).volume?.id, 'v1');
  t.is(calls(), 4);
});

test('answers that break off for ever are given up', async (t) => {
  const { address, calls } = await serverFor(t, ['answers', 'breaks off']);
  const { volumes } = clientFor(t, { address });
  await volumes.createVolume({ size: 1 });
  t.like(await t.throwsAsync(volumes.createVolume({ size: 1 })), { code: 'UNAVAILABLE' });
  t.is(calls(), 6);
});

/** A server that speaks gRPC by hand: it can stop in the middle of an answer. */
async function serverFor(
  t: ExecutionContext,
  script: Script,
): Promise<{ readonly address: string; readonly calls: () => number }> {
  const message = CreateVolumeResponse.encode(CreateVolumeResponse.create({ volume: { id: 'v1' } })).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  let calls = 0;
  const answer = (stream: ServerHttp2Stream): void => {
    const how = script[Math.min(calls, script.length - 1)];
    calls += 1;
    stream.on('error', () => undefined); // its connection is gone
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    if (how === 'answers') stream.end(Buffer.concat([prefix, message]));
    else stream.write(Buffer.concat([prefix, message]), () => stream.session?.destroy());
  };
  const server = createServer().on('stream', answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, calls: () => calls };
}
