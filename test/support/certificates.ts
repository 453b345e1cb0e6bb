import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NamedFile, TlsFiles } from '#src/rpc/tls/material.js';

/** A certificate and its private key, PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
  /** @default an hour ago */
  readonly validFrom?: Date;
  /** @default in a year */
  readonly validTo?: Date;
}

/** Somebody whose signature others believe. */
export interface Authority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  issue(options?: IssueOptions): Issued;
}

const HOUR_MS = 3_600_000;

/** An authority of this test's own; its certificates are for 127.0.0.1 and localhost unless they say otherwise. */
export function authority(name = 'an authority', validity: Omit<IssueOptions, 'names' | 'addresses'> = {}): Authority {
  const { publicKey, privateKey } = keyPair();
  const own = { issuer: name, subject: name, publicKey, signedBy: privateKey, ...validity };
  return {
    cert: certificate({ ...own, extensions: [extension('2.5.29.19', seq(tlv(0x01, Buffer.of(0xff))))] }),
    issue({ names = ['localhost'], addresses = ['127.0.0.1'], ...period } = {}) {
      const keys = keyPair();
      const alternatives = [
        ...names.map((each) => tlv(0x82, Buffer.from(each))),
        ...addresses.map((each) => tlv(0x87, Buffer.from(each.split('.').map(Number)))),
      ];
      const cert = certificate({
        ...{ issuer: name, subject: names[0] ?? 'nobody', publicKey: keys.publicKey, signedBy: privateKey },
        ...period,
        extensions: [extension('2.5.29.17', seq(...alternatives))],
      });
      return { cert, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
    },
  };
}

/** Writes the files of one side into a folder; written again, they are replaced. */
export async function tlsFilesIn(
  folder: string,
  name: string,
  { cert, key }: Issued,
  ca?: string,
): Promise<Required<TlsFiles>> {
  const file = async (kind: string, text: string): Promise<NamedFile> => {
    const path = join(folder, `${name}.${kind}.pem`);
    await writeFile(path, text);
    return { option: `${name}_${kind}_file`, path };
  };
  return { cert: await file('cert', cert), key: await file('key', key), ca: await file('ca', ca ?? cert) };
}

function keyPair(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

interface Content {
  readonly issuer: string;
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly signedBy: KeyObject;
  readonly validFrom?: Date;
  readonly validTo?: Date;
  readonly extensions: readonly Buffer[];
}

/** An X.509 certificate, PEM. Rule: RFC 5280 §4.1. */
function certificate(content: Content): string {
  const { validFrom = new Date(Date.now() - HOUR_MS), validTo = new Date(Date.now() + 8_760 * HOUR_MS) } = content;
  const algorithm = seq(oid('1.2.840.10045.4.3.2')); // ecdsa-with-SHA256
  const body = seq(
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    commonName(content.issuer),
    seq(utcTime(validFrom), utcTime(validTo)),
    commonName(content.subject),
    content.publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, seq(...content.extensions)),
  );
  const signature = sign('sha256', body, createPrivateKey(content.signedBy.export({ type: 'pkcs8', format: 'pem' })));
  const der = seq(body, algorithm, tlv(0x03, Buffer.of(0), signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** One element in DER: its kind, its length, its content. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function seq(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, ...parts);
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const base128 = (value: number): number[] =>
    value < 0x80 ? [value] : [...base128(Math.floor(value / 0x80)).map((byte) => byte | 0x80), value % 0x80];
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function commonName(name: string): Buffer {
  return seq(tlv(0x31, seq(oid('2.5.4.3'), tlv(0x0c, Buffer.from(name)))));
}

function utcTime(time: Date): Buffer {
  return tlv(
    0x17,
    Buffer.from(
      time
        .toISOString()
        .replaceAll(/[-:T]|\.\d+/g, '')
        .slice(2),
    ),
  );
}

function extension(id: string, content: Buffer): Buffer {
  return seq(oid(id), tlv(0x04, content));
}
