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
  /** The oldest that there ever was: what a service counts as whose record holds no version. */
  readonly oldest: Level;
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
  /** Told of each service whose record holds no version, at each read. @default nobody */
  readonly onUnreadable?: (service: ServiceVersions) => void;
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

/** A registered service as it counts for a cap. */
export interface WeighedService {
  readonly service: ServiceVersions;
  /** What it understands; where its record holds no version, the oldest that there ever was. */
  readonly level: Level;
  readonly isReadable: boolean;
  /** False: it was silent for so long that it holds nobody down. */
  readonly counts: boolean;
}

/** A cap and where it comes from. */
export interface CapExplanation {
  readonly binary: string;
  readonly cap: Cap;
  readonly own: Level;
  readonly pin: Version | undefined;
  readonly services: readonly WeighedService[];
}

/**
 * The cap towards one binary: the lowest versions among its services, never above our own; a pin lowers it further; no
 * service yet: our own. Read again within seconds, and at once after `drop`. Rule: cinder/rpc.py, `RPCAPI`.
 */
export class VersionCap {
  readonly #options: VersionCapOptions;
  readonly #cache: CachedRead<Cap>;
  #pin: Version | undefined;

  constructor(options: VersionCapOptions) {
    this.#options = options;
    this.#pin = options.pin === undefined ? undefined : versionOf(options.pin);
    this.#cache = new CachedRead(async () => (await this.explain()).cap, {
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

  /** Another pin, or none: it counts from the next use on. Throws when it is no version. */
  pin(pin: string | undefined): void {
    this.#pin = pin === undefined ? undefined : versionOf(pin);
    this.drop();
  }

  /** The cap as the records are now, and who decides it. Throws what the registry throws. */
  async explain(): Promise<CapExplanation> {
    const { binary, registry, own, onUnreadable } = this.#options;
    const services = (await registry.versionsOf(binary)).map((service) => this.#weighed(service));
    for (const { service, isReadable } of services) if (!isReadable) onUnreadable?.(service);
    const levels = services.filter(({ counts }) => counts).map(({ level }) => level);
    const pin = this.#pin;
    const rpc = [...levels.map((level) => level.rpc), ...(pin ? [pin] : [])].reduce(older, own.rpc);
    const objects = levels.map((level) => level.objects).reduce(older, own.objects);
    return { binary, cap: new Cap({ rpc, objects }), own, pin, services };
  }

  #weighed(service: ServiceVersions): WeighedService {
    const { oldest, serviceTtlMs = DAY_MS } = this.#options;
    const [rpc, objects] = [parseVersion(service.rpcVersion), parseVersion(service.objectVersion)];
    return {
      service,
      level: { rpc: rpc ?? oldest.rpc, objects: objects ?? oldest.objects },
      isReadable: rpc !== undefined && objects !== undefined,
      counts: service.silentMs <= serviceTtlMs,
    };
  }
}

const DAY_MS = 86_400_000;

function older(a: Version, b: Version): Version {
  return compareVersions(a, b) <= 0 ? a : b;
}
