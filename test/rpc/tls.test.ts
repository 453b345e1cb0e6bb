import { once } from 'node:events';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { ChannelCredentials, Server } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { ListeningServer } from '#src/rpc/listening-server.js';
import { LiveChannelCredentials } from '#src/rpc/tls/channel-credentials.js';
import { readTlsFiles, type TlsMaterial } from '#src/rpc/tls/material.js';
import { type LiveMaterial, LiveServerCredentials } from '#src/rpc/tls/server-credentials.js';
import { type Authority, authority, type IssueOptions, tlsFilesIn } from '../support/certificates.js';
import { folderFor } from '../support/folder.js';
import { bareClient, descriptors, MEBIBYTE } from '../support/rpc.js';
import { believing, healthBy, OWN_CONNECTION } from '../support/tls.js';

const ours = authority('ours');
const others = authority('others');

test('a client that believes the authority is served; one in plain text or of other beliefs is not', async (t) => {
  const server = await serverFor(t, await materialFor(t, ours));
  t.is(await answerTo(t, server, believing(ours)), 'OK');
  t.is(await answerTo(t, server, ChannelCredentials.createInsecure()), 'refused');
  t.is(await answerTo(t, server, believing(others)), 'refused');
});

test('a client without a certificate of ours is not let in where one is asked for', async (t) => {
  const server = await serverFor(t, await materialFor(t, ours, { believes: ours }));
  t.is(await answerTo(t, server, believing(ours, ours)), 'OK');
  t.is(await answerTo(t, server, believing(ours)), 'refused');
  t.is(await answerTo(t, server, believing(ours, others)), 'refused');
  t.is(await answerTo(t, server, ChannelCredentials.createInsecure()), 'refused');
});

test('a new certificate is shown to new connections, and connections that stand live on', async (t) => {
  const material = await materialFor(t, ours);
  const server = await serverFor(t, material);
  const standing = bareClient(t, server, {}, believing(ours));
  t.is(await healthBy(standing), 'OK');
  const before = await shownBy(t, server);

  material.become((await materialFor(t, others)).value);

  t.is(await healthBy(standing), 'OK');
  t.is(await answerTo(t, server, believing(others)), 'OK');
  t.is(await answerTo(t, server, believing(ours)), 'refused');
  t.not(await shownBy(t, server), before);
});

test('whose client certificates are believed changes with the authorities, resumed sessions included', async (t) => {
  const material = await materialFor(t, ours, { believes: ours });
  const server = await serverFor(t, material);
  const mine = ours.issue();
  const asked = { ca: ours.cert, ...mine };
  const first = await tlsTo(t, server, asked);
  const [session] = (await once(first, 'session')) as [Buffer];

  material.become((await materialFor(t, ours, { believes: others })).value);

  t.is(await answerTo(t, server, believing(ours, others)), 'OK');
  t.is(await answerTo(t, server, believing(ours, ours)), 'refused');
  const again = await tlsTo(t, server, { ...asked, session });
  t.false(again.isSessionReused());
});

test('TLS below 1.2 and ciphers without forward secrecy are refused, TLS 1.2 and 1.3 are spoken', async (t) => {
  const server = await serverFor(t, await materialFor(t, ours));
  const speaks = (options: ConnectionOptions) =>
    tlsTo(t, server, { ca: ours.cert, ...options }).then(
      (socket) => socket.getProtocol(),
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    );
  t.is(await speaks({}), 'TLSv1.3');
  t.is(await speaks({ maxVersion: 'TLSv1.2' }), 'TLSv1.2');
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  t.regex((await speaks(old)) ?? '', /^(ERR_SSL|ECONNRESET)/);
  for (const ciphers of ['ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384']) {
    t.regex((await speaks({ maxVersion: 'TLSv1.2', ciphers })) ?? '', /^ERR_SSL/, ciphers);
  }
});

test('services know each other by an authority of their own and the address they are called at', async (t) => {
  const peer = await materialFor(t, ours, { believes: ours });
  const server = await serverFor(t, peer);
  t.is(await answerTo(t, server, new LiveChannelCredentials(peer)), 'OK');
  t.is(await answerTo(t, { address: `localhost:${server.port}` }, new LiveChannelCredentials(peer)), 'OK');
  const stranger = await materialFor(t, others, { believes: others });
  t.is(await answerTo(t, server, new LiveChannelCredentials(stranger)), 'refused');
  const spy = await materialFor(t, others, { believes: ours });
  t.is(await answerTo(t, server, new LiveChannelCredentials(spy)), 'refused');
});

test('a peer whose certificate is for another name is refused, unless that is the name they all have', async (t) => {
  const names = { names: ['services.cinder'], addresses: [] };
  const peer = await materialFor(t, ours, { believes: ours, ...names });
  const server = await serverFor(t, peer);
  t.is(await answerTo(t, server, new LiveChannelCredentials(peer)), 'refused');
  t.is(await answerTo(t, server, new LiveChannelCredentials(peer, 'services.cinder')), 'OK');
  t.is(await answerTo(t, server, new LiveChannelCredentials(peer, 'db.cinder')), 'refused');
});

test('a client shows its newest certificate when it connects anew', async (t) => {
  const server = await serverFor(t, await materialFor(t, ours, { believes: ours }));
  const mine = await materialFor(t, others, { believes: ours });
  const credentials = new LiveChannelCredentials(mine);
  t.is(await answerTo(t, server, credentials), 'refused');
  mine.become((await materialFor(t, ours, { believes: ours })).value);
  t.is(await answerTo(t, server, credentials), 'OK');
});

/** Certificates that a test may replace. */
interface Replaceable extends LiveMaterial {
  become(material: TlsMaterial): void;
}

/** Certificates by an authority, through files. `believes`: who may sign the other side's; nobody is asked for one without. */
async function materialFor(
  t: ExecutionContext,
  by: Authority,
  { believes, ...issue }: IssueOptions & { readonly believes?: Authority } = {},
): Promise<Replaceable> {
  const { ca, ...own } = await tlsFilesIn(await folderFor(t), 'tls', by.issue(issue), believes?.cert);
  let value = readTlsFiles({ ...own, ...(believes && { ca }) });
  const listeners: ((material: TlsMaterial) => void)[] = [];
  return {
    get value() {
      return value;
    },
    onChange: (listener) => void listeners.push(listener),
    become(next) {
      value = next;
      for (const listener of listeners) listener(next);
    },
  };
}

async function serverFor(t: ExecutionContext, material: LiveMaterial): Promise<ListeningServer> {
  const credentials = new LiveServerCredentials(material);
  const options = { address: '127.0.0.1:0', maxMessageBytes: MEBIBYTE, credentials };
  const server = await ListeningServer.listen(options, descriptors, [], (bare) => t.true(bare instanceof Server));
  t.teardown(() => server.stop(0));
  server.setServing(true);
  return server;
}

/** How a health check by a new client ends. */
function answerTo(t: ExecutionContext, server: { readonly address: string }, how: ChannelCredentials): Promise<string> {
  return healthBy(bareClient(t, server, OWN_CONNECTION, how));
}

/** A TLS connection without gRPC. */
async function tlsTo(t: ExecutionContext, server: ListeningServer, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: server.port, ALPNProtocols: ['h2'], ...options });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

/** The certificate that a new connection is shown. */
async function shownBy(t: ExecutionContext, server: ListeningServer): Promise<string> {
  return (await tlsTo(t, server, { rejectUnauthorized: false })).getPeerCertificate().fingerprint256;
}
