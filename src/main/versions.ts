import type { Config } from '../config/schema.js';
import type { Log } from '../log/log.js';
import { sparingly } from '../log/sparingly.js';
import { objectEntryOf, ownObjectVersion } from '../rpc/object-history.js';
import type { Cap } from '../rpc/version-cap.js';
import { compareVersions, formatVersion, type Version, versionOf } from '../rpc/version-number.js';
import type { VersionedClientOptions } from '../rpc/versioned-client.js';
import { type InternalApi, ownVersion, type Rules } from '../rpc/versions.js';

type Told = Pick<VersionedClientOptions, 'onDropped' | 'onStale' | 'onUnreadable'>;

/** What the log says of versions: during an upgrade every message would say the same. */
export function versionLog(log: Log): Told {
  const dropped = sparingly((count, method: string, fields: readonly string[], cap: Cap) =>
    log.warn('left out what a peer is too old for', { method, fields, cap: String(cap), count }),
  );
  const unreadable = sparingly(
    (_count, binary: string, service: { host: string; rpcVersion: string; objectVersion: string }) =>
      log.error('the record of a service holds no version: it counts as the oldest there ever was', {
        ...{ binary, host: service.host, rpcVersion: service.rpcVersion, objectVersion: service.objectVersion },
      }),
  );
  return {
    onDropped: dropped,
    onStale: (error) => log.warn('the records of services cannot be read; the last ones are used', { error }),
    onUnreadable: unreadable,
  };
}

/** Throws unless this program can run as the versions, and with the pins, that the configuration says. */
export function requireVersions({ internal }: Rules, config: Config): void {
  objectVersionOf(config);
  for (const api of internal.values()) {
    ownVersion(api, config.rpcVersion[api.binary]);
    pinFor(api, config.rpcPins[api.binary]);
  }
}

/** What this process knows of objects: what is said, else what the versions that it runs as came with. */
export function objectVersionOf({ rpcVersion, objectVersion }: Pick<Config, 'rpcVersion' | 'objectVersion'>): Version {
  if (objectVersion !== undefined) return ownObjectVersion(objectVersion);
  const entries = Object.entries(rpcVersion).map(([binary, version]) => objectEntryOf(binary, versionOf(version)));
  return entries.reduce((a, b) => (compareVersions(b, a) < 0 ? b : a), ownObjectVersion(undefined));
}

/** A pin that the API can have. Throws for another major version, which would stop everything, and below the oldest one. */
export function pinFor(api: InternalApi, pin: string | undefined): string | undefined {
  if (pin === undefined) return undefined;
  const version = versionOf(pin);
  if (version.major === api.version.major && compareVersions(version, api.baseline) >= 0) return pin;
  throw new Error(
    `rpc_pins cannot hold ${api.binary} at ${pin}: versions are ${formatVersion(api.baseline)} to ${formatVersion(api.version)}`,
  );
}

/** A pin above what this process speaks lowers nothing here; it is right for the processes that speak more. */
export function sayOfPin(
  log: Log,
  { api, own }: { readonly api: InternalApi; readonly own: Cap },
  { rpcPins }: Pick<Config, 'rpcPins'>,
): void {
  const pin = rpcPins[api.binary];
  if (pin === undefined || own.canSendVersion(pin)) return;
  log.warn('a pin is above what this process speaks, and lowers nothing', {
    ...{ binary: api.binary, pin, own: formatVersion(own.rpc) },
  });
}
