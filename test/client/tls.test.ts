import { ServerCredentials } from '@grpc/grpc-js';
import test from 'ava';
import { ListVolumesResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { authority } from '../support/certificates.js';
import { clientFor } from '../support/client.js';
import { volumesServer } from '../support/rpc.js';

const AUTHORITY = authority();
const OTHER = authority('another authority');

test('the client speaks TLS, shows its own certificate where the service asks for one, and believes nobody else', async (t) => {
  const { cert, key } = AUTHORITY.issue();
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  const server = await volumesServer(
    t,
    { listVolumes: async () => ListVolumesResponse.create({ nextPageToken: 'a secret' }) },
    { credentials: ServerCredentials.createSsl(Buffer.from(AUTHORITY.cert), [pair], true) },
  );
  const own = AUTHORITY.issue({ names: ['a client'] });
  const shown = { certificate: own.cert, key: own.key };
  const { volumes } = clientFor(t, server, { tls: { rootCertificates: AUTHORITY.cert, ...shown } });
  t.is((await volumes.listVolumes({})).nextPageToken, 'a secret');

  const stranger = OTHER.issue({ names: ['a client'] });
  const refused = [
    { rootCertificates: AUTHORITY.cert },
    { rootCertificates: AUTHORITY.cert, certificate: stranger.cert, key: stranger.key },
    { rootCertificates: OTHER.cert, ...shown },
    { rootCertificates: AUTHORITY.cert, ...shown, serverName: 'another.example.org' },
    undefined,
  ].map(async (tls) => t.throwsAsync(clientFor(t, server, { tls }).volumes.listVolumes({})));
  for (const error of await Promise.all(refused)) t.like(error, { code: 'UNAVAILABLE' });
});

test('a name in the certificate that is not the address’s is believed when the caller says so', async (t) => {
  const { cert, key } = AUTHORITY.issue({ names: ['cinder.example.org'], addresses: [] });
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  const server = await volumesServer(
    t,
    { listVolumes: async () => ListVolumesResponse.create() },
    { credentials: ServerCredentials.createSsl(null, [pair]) },
  );
  const tls = { rootCertificates: AUTHORITY.cert, serverName: 'cinder.example.org' };
  await t.notThrowsAsync(clientFor(t, server, { tls }).volumes.listVolumes({}));
});
