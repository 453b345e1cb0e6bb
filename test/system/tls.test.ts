import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import {
  CreateVolumeRequest,
  ListVolumesRequest,
  VolumesService,
  VolumeStatus,
} from '#src/gen/cinder/api/v3/volumes.js';
import { answered, refused } from '../support/api.js';
import { authority, tlsFilesIn } from '../support/certificates.js';
import { clusterFor } from '../support/cluster.js';
import { folderFor } from '../support/folder.js';
import { until } from '../support/installation.js';
import { CLI, processFor } from '../support/process.js';
import { bareClient, callBare } from '../support/rpc.js';
import { postgresTest } from '../support/sql.js';
import { believing, healthBy, OWN_CONNECTION } from '../support/tls.js';
import { writeTokens } from '../support/tokens.js';

const { createVolume, getVolume, listVolumes } = VolumesService;

postgresTest(
  'three services that know each other by certificate make a volume for a user who has one, and SIGHUP renews what they show',
  async (t) => {
    const folder = await folderFor(t);
    const [publicCa, userCa, internalCa] = [authority('public'), authority('users'), authority('services')];
    const shown = await tlsFilesIn(folder, 'api', publicCa.issue(), userCa.cert);
    const internal = await tlsFilesIn(folder, 'internal', internalCa.issue(), internalCa.cert);
    const tokens = join(folder, 'tokens.toml');
    const ann = { token: 'ann-has-this-one', userId: 'ann', roles: ['member'], projectId: 'demo' };
    await writeTokens(tokens, [ann]);
    const cluster = await clusterFor(t, {
      CINDER_INTERNAL_TLS_CERT_FILE: internal.cert.path,
      CINDER_INTERNAL_TLS_KEY_FILE: internal.key.path,
      CINDER_INTERNAL_TLS_CA_FILE: internal.ca.path,
    });
    const [scheduler, volume, api] = await Promise.all([
      cluster.start('scheduler'),
      cluster.start('volume'),
      cluster.start('api', {
        CINDER_TLS_CERT_FILE: shown.cert.path,
        CINDER_TLS_KEY_FILE: shown.key.path,
        CINDER_TLS_CLIENT_CA_FILE: shown.ca.path,
        CINDER_AUTH_STRATEGY: 'tokens',
        CINDER_AUTH_TOKENS_FILE: tokens,
      }),
    ]);

    const client = bareClient(t, api, {}, believing(publicCa, userCa));
    const asAnn = { 'x-auth-token': ann.token };
    const created = answered(await callBare(client, createVolume, CreateVolumeRequest.create({ size: 1 }), asAnn));
    const volumeId = created.volume?.id ?? '';
    await until(async () => {
      const found = answered(await callBare(client, getVolume, { volumeId }, asAnn));
      return found.volume?.status === VolumeStatus.AVAILABLE ? true : undefined;
    }, 'the volume to be available');

    for (const { address } of [scheduler, volume]) {
      t.is(await healthOf(t, address, believing(internalCa, internalCa)), 'OK');
      t.is(await healthOf(t, address, ChannelCredentials.createInsecure()), 'refused');
      t.is(await healthOf(t, address, believing(internalCa)), 'refused');
      t.is(
        await healthOf(t, address, believing(internalCa, userCa)),
        'refused',
        "a user's certificate is no service's",
      );
    }
    t.is(await healthOf(t, api.address, believing(publicCa)), 'refused');

    const before = await certificateOf(api.address);
    await tlsFilesIn(folder, 'api', publicCa.issue(), userCa.cert);
    await writeTokens(tokens, [{ ...ann, token: 'the-next-one' }]);
    api.child.kill('SIGHUP');
    await api.wrote(/"reloaded"/);
    t.not(await certificateOf(api.address), before);
    const page = ListVolumesRequest.create();
    t.is(refused(await callBare(client, listVolumes, page, asAnn)).code, 'UNAUTHENTICATED');
    const { volumes } = answered(await callBare(client, listVolumes, page, { 'x-auth-token': 'the-next-one' }));
    t.is(volumes.length, 1, 'over the connection that stood before');

    await writeFile(shown.key.path, 'no key');
    await writeTokens(tokens, []);
    api.child.kill('SIGHUP');
    await api.wrote(/tls_key_file: \S+ holds no private key/);
    await api.wrote(/needs at least one table \[\[tokens\]\]/);
    t.is(
      await healthOf(t, api.address, believing(publicCa, userCa)),
      'OK',
      'what cannot be used leaves what there was',
    );
    answered(await callBare(client, listVolumes, page, { 'x-auth-token': 'the-next-one' }));
  },
);

const ca = authority();
const expired = ca.issue({ validFrom: new Date('2020-01-01'), validTo: new Date('2021-01-01') });

test('a process does not start on certificates or tokens it cannot use, and names the option in a sentence', async (t) => {
  const folder = await folderFor(t);
  const old = await tlsFilesIn(folder, 'old', expired, ca.cert);
  const good = await tlsFilesIn(folder, 'good', ca.issue(), ca.cert);
  /** Environments, and the sentence about each. */
  const pairs: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [
      { CINDER_TLS_CERT_FILE: old.cert.path, CINDER_TLS_KEY_FILE: old.key.path },
      /^tls_cert_file: \S+old\.cert\.pem holds a certificate that expired on Jan {2}1 00:00:00 2021 GMT\.$/m,
    ],
    [
      {
        CINDER_INTERNAL_TLS_CERT_FILE: good.cert.path,
        CINDER_INTERNAL_TLS_KEY_FILE: old.key.path,
        CINDER_INTERNAL_TLS_CA_FILE: good.ca.path,
      },
      /^internal_tls_key_file: \S+ is not the key of the certificate in internal_tls_cert_file \S+\.$/m,
    ],
    [
      { CINDER_AUTH_STRATEGY: 'tokens', CINDER_AUTH_TOKENS_FILE: '/nowhere/tokens.toml' },
      /^auth_tokens_file: \/nowhere\/tokens\.toml cannot be read: ENOENT\.$/m,
    ],
    [{ CINDER_TLS_CERT_FILE: good.cert.path }, /tls_key_file is needed by tls_cert_file/],
  ];
  await Promise.all(
    pairs.map(async ([environment, says]) => {
      const env = {
        CINDER_DATA_DIR: await folderFor(t),
        CINDER_API_LISTEN: '127.0.0.1:0',
        CINDER_SCHEDULER_LISTEN: '127.0.0.1:0',
        CINDER_VOLUME_LISTEN: '127.0.0.1:0',
        CINDER_METRICS_LISTEN: '127.0.0.1:0',
        ...environment,
      };
      const started = processFor(t, process.execPath, [CLI, 'serve', 'all'], { env });
      t.is(await started.ended(), 1);
      t.regex(started.stderr(), says);
      t.notRegex(started.stderr(), /\n {4}at /, 'a sentence, not a stack');
    }),
  );
});

/** How a health check over a new connection ends. */
function healthOf(t: ExecutionContext, address: string, how: ChannelCredentials): Promise<string> {
  return healthBy(bareClient(t, { address }, OWN_CONNECTION, how));
}

/** What a server shows to a new connection. */
async function certificateOf(address: string): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port), ALPNProtocols: ['h2'], rejectUnauthorized: false });
  socket.on('error', () => undefined); // it goes on to want a certificate of ours
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}
