import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import type { Config, OptionField } from '../config/schema.js';
import { SCHEMA } from '../config/schema.js';
import type { Log } from '../log/log.js';
import { LiveChannelCredentials } from '../rpc/tls/channel-credentials.js';
import { type NamedFile, readTlsFiles, type TlsFiles, type TlsMaterial } from '../rpc/tls/material.js';
import { LiveServerCredentials } from '../rpc/tls/server-credentials.js';
import { configuredFiles, type LiveFiles } from './live-files.js';
import type { Reloads } from './reload.js';

/** Credentials of this process. What is not there is plain text. */
export interface Tls {
  /** Of the public API. */
  readonly api?: ServerCredentials;
  /** Of the scheduler and the volume service. */
  readonly internal?: ServerCredentials;
  /** Of calls to them. */
  readonly peers?: ChannelCredentials;
  close(): void;
}

/** Reads the certificates of a process and keeps them up to date. Throws an Error that names the option at fault. */
export function tlsOf(config: Config, log: Log, reloads: Reloads): Tls {
  const api = live('certificates of the public API', API, config, log, reloads);
  const internal = live('certificates between services', INTERNAL, config, log, reloads);
  return {
    ...(api && { api: new LiveServerCredentials(api) }),
    ...(internal && {
      internal: new LiveServerCredentials(internal),
      peers: new LiveChannelCredentials(internal, config.internalTlsServerName),
    }),
    close() {
      api?.close();
      internal?.close();
    },
  };
}

/** The options that name the files of one side. */
type Files = { readonly [File in keyof TlsFiles]-?: OptionField };

const API: Files = { cert: 'tlsCertFile', key: 'tlsKeyFile', ca: 'tlsClientCaFile' };
const INTERNAL: Files = { cert: 'internalTlsCertFile', key: 'internalTlsKeyFile', ca: 'internalTlsCaFile' };

const DAY_MS = 86_400_000;
const EXPIRES_SOON_MS = 14 * DAY_MS;

function live(
  name: string,
  options: Files,
  config: Config,
  log: Log,
  reloads: Reloads,
): LiveFiles<TlsMaterial> | undefined {
  if (!filesIn(config, options)) return undefined;
  const asksPeers = config[options.ca] !== undefined;
  const needed = (now: Config): TlsFiles => {
    const files = filesIn(now, options);
    if (!files) throw new Error(`${nameOf(options.cert)} is gone: TLS is switched off by a restart only.`);
    // a server that stands cannot begin to ask for certificates, nor cease to
    if ((files.ca !== undefined) !== asksPeers)
      throw new Error(`${nameOf(options.ca)} comes and goes by a restart only.`);
    return files;
  };
  const files = configuredFiles({
    ...{ name, config, log, reloads },
    options: Object.values(options),
    files: (now) => Object.values(needed(now)).map(({ path }: NamedFile) => path),
    read: (now) => readTlsFiles(needed(now)),
  });
  const remind = ({ validTo }: TlsMaterial): void => {
    const days = Math.floor((validTo - Date.now()) / DAY_MS);
    if (validTo - Date.now() < EXPIRES_SOON_MS) log.warn('a certificate expires soon', { part: name, days });
  };
  remind(files.value);
  files.onChange(remind);
  files.watch();
  return files;
}

function filesIn(config: Config, { cert, key, ca }: Files): TlsFiles | undefined {
  const named = (field: OptionField): NamedFile | undefined =>
    typeof config[field] === 'string' ? { option: nameOf(field), path: config[field] } : undefined;
  const [certFile, keyFile, caFile] = [named(cert), named(key), named(ca)];
  return certFile && keyFile && { cert: certFile, key: keyFile, ...(caFile && { ca: caFile }) };
}

function nameOf(field: OptionField): string {
  return SCHEMA[field].name;
}
