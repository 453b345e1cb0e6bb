import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { readTlsFiles, type TlsFiles } from '#src/rpc/tls/material.js';
import { authority, tlsFilesIn } from '../support/certificates.js';
import { folderFor } from '../support/folder.js';

const DAY_MS = 86_400_000;
const ago = (days: number): Date => new Date(Date.now() - days * DAY_MS);

const ca = authority();
const own = ca.issue();
const oldCa = authority('an old authority', { validFrom: ago(9), validTo: ago(1) });

test('files that belong together are read, with the end of the certificate', async (t) => {
  const validTo = new Date('2049-01-01T00:00:00Z');
  const issued = ca.issue({ validTo });
  const files = await tlsFilesIn(await folderFor(t), 'tls', issued, oldCa.cert + ca.cert);
  const material = readTlsFiles(files);
  t.is(material.validTo, validTo.getTime());
  t.is(material.cert.toString(), issued.cert);
  t.is(material.ca?.toString(), oldCa.cert + ca.cert, 'an old authority may stand beside the new one');
});

/** What may be wrong with a file, and how it is told. */
const MISTAKES: readonly (readonly [
  what: string,
  file: 'cert' | 'key' | 'ca',
  text: string | undefined,
  says: string,
])[] = [
  ['a certificate file that is not there', 'cert', undefined, 'tls_cert_file: PATH cannot be read: ENOENT.'],
  ['a key file that is not there', 'key', undefined, 'tls_key_file: PATH cannot be read: ENOENT.'],
  ['an empty certificate file', 'cert', '', 'tls_cert_file: PATH holds no certificate in PEM.'],
  ['a key in place of the certificate', 'cert', own.key, 'tls_cert_file: PATH holds no certificate in PEM.'],
  [
    'a damaged certificate',
    'cert',
    own.cert.replace(/[A-Za-z]{10}\n/, 'AAAAAAAAAA\n').replace('MII', 'MIA'),
    'tls_cert_file: PATH holds a certificate that cannot be read.',
  ],
  [
    'a certificate in place of the key',
    'key',
    own.cert,
    'tls_key_file: PATH holds no private key in PEM, or one with a passphrase.',
  ],
  [
    'the key of another',
    'key',
    ca.issue().key,
    'tls_key_file: PATH is not the key of the certificate in tls_cert_file',
  ],
  [
    'authorities that are none',
    'ca',
    randomBytes(64).toString('hex'),
    'tls_ca_file: PATH holds no certificate in PEM.',
  ],
  ['authorities that have all expired', 'ca', oldCa.cert, 'tls_ca_file: PATH holds a certificate that expired on '],
];

for (const [what, kind, text, says] of MISTAKES) {
  test(`${what} is told with its option and its path, and nothing of the file`, async (t) => {
    const files = await tlsFilesIn(await folderFor(t), 'tls', own, ca.cert);
    if (text !== undefined) await writeFile(files[kind].path, text);
    const path = text === undefined ? join(await folderFor(t), 'nothing.pem') : files[kind].path;
    const given: TlsFiles = { ...files, [kind]: { ...files[kind], path } };
    const { message } = t.throws(() => readTlsFiles(given));
    t.true(message.startsWith(says.replace('PATH', path)), message);
    t.false(message.includes('PRIVATE KEY'), message);
  });
}

test('a certificate outside its days is refused, and the day is told', async (t) => {
  const folder = await folderFor(t);
  const expired = await tlsFilesIn(folder, 'old', ca.issue({ validFrom: ago(9), validTo: ago(1) }));
  t.throws(() => readTlsFiles(expired), {
    message: /^old_cert_file: \S+ holds a certificate that expired on .* GMT\.$/,
  });
  const early = await tlsFilesIn(folder, 'new', ca.issue({ validFrom: ago(-1) }));
  t.throws(() => readTlsFiles(early), { message: /^new_cert_file: \S+ holds a certificate that is not valid before / });
});
