import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

/** A file and the option that names it, for errors. */
export interface NamedFile {
  readonly option: string;
  readonly path: string;
}

/** The PEM files of one side of a connection. */
export interface TlsFiles {
  /** Own certificate, with what leads from it to a root. */
  readonly cert: NamedFile;
  /** Its private key, without a passphrase. */
  readonly key: NamedFile;
  /** Who may sign the other side's certificate. @default nobody is asked for one */
  readonly ca?: NamedFile;
}

/** What was read, and checked. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  /** End of the own certificate, ms since 1970. */
  readonly validTo: number;
}

/**
 * Reads and checks the files of one side. Throws an Error that says which option names what is unreadable, expired, or does
 * not belong together. `now`: ms since 1970.
 */
export function readTlsFiles({ cert, key, ca }: TlsFiles, now: number = Date.now()): TlsMaterial {
  const certBytes = bytesOf(cert);
  const keyBytes = bytesOf(key);
  const own = certificatesIn(cert, certBytes)[0];
  if (!own) throw wrong(cert, 'holds no certificate in PEM');
  checkPeriod(cert, own, now);
  if (!own.checkPrivateKey(privateKeyIn(key, keyBytes))) {
    throw wrong(key, `is not the key of the certificate in ${cert.option} ${cert.path}`);
  }
  const caBytes = ca && bytesOf(ca);
  if (ca && caBytes) checkAuthorities(ca, certificatesIn(ca, caBytes), now);
  const material = {
    cert: certBytes,
    key: keyBytes,
    ...(caBytes && { ca: caBytes }),
    validTo: Date.parse(own.validTo),
  };
  try {
    createSecureContext(contextOf(material)); // what OpenSSL finds too weak, it says here rather than in a handshake
  } catch (error) {
    throw wrong(cert, `cannot be used: ${(error as Error).message}`, error);
  }
  return material;
}

/** How TLS is spoken everywhere: 1.2 or newer, forward secrecy, authenticated ciphers. */
export function contextOf({ cert, key, ca }: TlsMaterial): SecureContextOptions {
  return { cert, key, ...(ca && { ca }), minVersion: 'TLSv1.2', ciphers: CIPHERS, honorCipherOrder: true };
}

const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function bytesOf(file: NamedFile): Buffer {
  try {
    return readFileSync(file.path);
  } catch (error) {
    throw wrong(file, `cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`, error);
  }
}

function certificatesIn(file: NamedFile, bytes: Buffer): readonly X509Certificate[] {
  try {
    return (bytes.toString('latin1').match(CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
  } catch (error) {
    throw wrong(file, 'holds a certificate that cannot be read', error);
  }
}

function privateKeyIn(file: NamedFile, bytes: Buffer): KeyObject {
  try {
    return createPrivateKey(bytes);
  } catch (error) {
    throw wrong(file, 'holds no private key in PEM, or one with a passphrase', error);
  }
}

function checkPeriod(file: NamedFile, { validFrom, validTo }: X509Certificate, now: number): void {
  if (now >= Date.parse(validTo)) throw wrong(file, `holds a certificate that expired on ${validTo}`);
  if (now < Date.parse(validFrom)) throw wrong(file, `holds a certificate that is not valid before ${validFrom}`);
}

/** A bundle may hold old authorities beside the new; it must hold one that is valid. */
function checkAuthorities(file: NamedFile, authorities: readonly X509Certificate[], now: number): void {
  const [first] = authorities;
  if (!first) throw wrong(file, 'holds no certificate in PEM');
  if (authorities.every(({ validTo }) => now >= Date.parse(validTo))) checkPeriod(file, first, now);
}

/** The file's bytes are never told: they may be a key. */
function wrong({ option, path }: NamedFile, what: string, cause?: unknown): Error {
  return new Error(`${option}: ${path} ${what}.`, { cause });
}
