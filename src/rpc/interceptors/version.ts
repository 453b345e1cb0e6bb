import type { Metadata } from '@grpc/grpc-js';
import { Fault } from '../../errors/fault.js';
import { RPC_VERSION } from '../headers.js';
import { compatible, formatVersion, parseVersion, type Version } from '../version-number.js';

/** Which message versions a server takes: those of its own major up to its own minor. */
export class VersionGate {
  /** What this server speaks, as it registers it. */
  readonly served: string;
  readonly #version: Version;
  /** The versions that exist, so that a call costs no parsing. */
  readonly #usual: ReadonlySet<string>;

  constructor(served: Version) {
    this.#version = served;
    this.served = formatVersion(served);
    this.#usual = new Set(Array.from({ length: served.minor + 1 }, (_, minor) => `${served.major}.${minor}`));
  }

  /**
   * The version a request was written for. Throws Fault MissingRpcVersion; UnsupportedVersion, also for what is no version,
   * and for several of them: which one is meant is not guessed.
   */
  requireSupported(metadata: Metadata, method: string): string {
    const given = metadata.get(RPC_VERSION);
    const version = given.length > 1 ? given.join(', ') : (given[0]?.toString() ?? '');
    if (!version) throw new Fault('MissingRpcVersion', { header: RPC_VERSION });
    if (!this.supports(version)) throw this.unsupported(version, method);
    return version;
  }

  supports(version: string): boolean {
    if (this.#usual.has(version)) return true;
    const parsed = parseVersion(version);
    return parsed !== undefined && compatible(this.#version, parsed);
  }

  unsupported(version: string, method: string): Fault {
    return new Fault('UnsupportedVersion', { version, method, served: this.served });
  }
}
