import { CachedRead } from './cached-read.js';
import type { Level } from './older-form.js';
import { compareVersions, compatible, formatVersion, parseVersion, type Version, versionOf } from './version-number.js';

/** What a client reads of the services of a binary to know what it may send. */
export interface Registry {
  /** Registered services that are neither deleted nor stopped. */
  versionsOf(binary: string): Promise<readonly ServiceVersions[]>;
}

export interface ServiceVersions {
  readonly host: string;
  readonly rpcVersion: string;
  readonly objectVersion: string;
  /** Since its last heartbeat, by the database's clock, ms. */
  readonly silentMs: number;
}

export interface VersionCapOptions {
  readonly binary: string;
  readonly registry: Registry;
  /** What this process speaks itself. */
  readonly own: Level;
  /** Lowers the cap by configuration, e.g. `3.9`. @default none */
  readonly pin?: string;
  /** Services that were silent for longer hold nobody down any more, ms. @default 86400000 */
  readonly serviceTtlMs?: number;
  /** @default 5000 */
  readonly maxAgeMs?: number;
  /** @default performance.now */
  readonly clock?: () => number;
  /** Told when the records cannot be read and the last cap is used. @default nobody */
  readonly onStale?: (error: unknown) => void;
}

/** The versions that every service of a binary understands, at one moment. */
export class Cap implements Level {
  readonly rpc: Version;
  readonly objects: Version;

  constructor(level: Level) {
    this.rpc = level.rpc;
    this.objects = level.objects;
  }

  /** Whether a message of this version may be sent. Rule: oslo_messaging/rpc/client.py, `can_send_version`. */
  canSendVersion(version: string): boolean {
    return compatible(this.rpc, parseVersion(version));
  }

  /** The first of these versions that may be sent; the last one is taken untested. Rule: cinder/rpc.py, `_compat_ver`. */
  compatVersion(newest: string, ...older: readonly string[]): string {
    const versions = [newest, ...older];
    return versions.slice(0, -1).find((version) => this.canSendVersion(version)) ?? versions.at(-1) ?? newest;
  }

  /** This cap, or a lower one that a receiver has just named. */
  loweredTo(rpc: Version): Cap {
    return new Cap({ rpc: older(this.rpc, rpc), objects: this.objects });
  }

  equals(other: Cap): boolean {
    return compareVersions(this.rpc, other.rpc) === 0 && compareVersions(this.objects, other.objects) === 0;
  }

  toString(): string {
    return `${formatVersion(this.rpc)} (objects ${formatVersion(this.objects)})`;
  }
}

/**
 * The cap towards one binary: the lowest versions among its services, never above our own; a pin lowers it further; no
 * service yet: our own. Read again within seconds, and at once after `drop`. Rule: cinder/rpc.py, `RPCAPI`.
 */
export class VersionCap {
  readonly #cache: CachedRead<Cap>;

  constructor(options: VersionCapOptions) {
    this.#cache = new CachedRead(async () => capFrom(await options.registry.versionsOf(options.binary), options), {
      what: `the versions of ${options.binary}`,
      maxAgeMs: options.maxAgeMs ?? 5_000,
      ...(options.clock && { clock: options.clock }),
      ...(options.onStale && { onStale: options.onStale }),
    });
  }

  current(): Promise<Cap> {
    return this.#cache.get();
  }

  /** A receiver refused what the cap allowed: the next use reads the records anew. */
  drop(): void {
    this.#cache.drop();
  }
}

const DAY_MS = 86_400_000;

function capFrom(services: readonly ServiceVersions[], options: VersionCapOptions): Cap {
  const ttlMs = options.serviceTtlMs ?? DAY_MS;
  let { rpc, objects } = options.own;
  for (const service of services) {
    if (service.silentMs > ttlMs) continue;
    rpc = older(rpc, versionOf(service.rpcVersion));
    objects = older(objects, versionOf(service.objectVersion));
  }
  return new Cap({ rpc: options.pin === undefined ? rpc : older(rpc, versionOf(options.pin)), objects });
}

function older(a: Version, b: Version): Version {
  return compareVersions(a, b) <= 0 ? a : b;
}
