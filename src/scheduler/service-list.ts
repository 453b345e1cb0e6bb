import { type Rounds, rounds } from '../time/rounds.js';
import type { AwayBackend } from './expected-backends.js';
import type { Pools } from './pools.js';
import { backendKeyOf, type VolumeService } from './volume-service.js';

/** A service, and how long it has been silent. */
export type ListedService = VolumeService & {
  /** Since its last heartbeat, ms. */
  readonly silentMs: number;
};

export interface ServiceListOptions {
  readonly pools: Pools;
  /** Reads the registered volume services, in the order of their records. */
  readonly read: () => Promise<readonly ListedService[]>;
  /** How old the list may be, ms. @default 1000 */
  readonly intervalMs?: number;
  /** Told after each reading. */
  readonly onRead: () => void;
  /** Told when the list cannot be read; the last one stays. */
  readonly onError: (error: unknown) => void;
}

/**
 * Keeps the pools' list of volume services at most a second old, so that no decision waits for a query. Cinder reads it
 * anew on each request. Rule: cinder/scheduler/host_manager.py, `_update_backend_state_map`.
 */
export class ServiceList {
  readonly #options: ServiceListOptions;
  readonly #readings: Rounds;
  #services: readonly ListedService[] = [];
  #reading: Promise<void> | undefined;

  constructor(options: ServiceListOptions) {
    this.#options = options;
    this.#readings = rounds({
      intervalMs: options.intervalMs ?? 1_000,
      round: () => this.refresh(),
      onError: options.onError,
    });
  }

  /** Reads once, then again and again. Throws when the first reading fails. */
  async start(): Promise<void> {
    this.#take(await this.#options.read());
    this.#readings.start();
  }

  async stop(): Promise<void> {
    await this.#readings.stop();
    await this.#reading;
  }

  /** Whether any service is up, enabled or not. */
  get anyUp(): boolean {
    return this.#services.some(({ up }) => up);
  }

  /** Whether the list has this backend as up. */
  hasUp(host: string): boolean {
    return this.#services.some((service) => service.host === host && service.up);
  }

  /** `host@backend` of those that are up. */
  get up(): ReadonlySet<string> {
    return new Set(this.#services.filter(({ up }) => up).map(({ host }) => host));
  }

  /** Backends that may get volumes and of which no service is up. */
  away(): readonly AwayBackend[] {
    const up = new Set(this.#services.filter((service) => service.up).map(backendKeyOf));
    return this.#services
      .filter((service) => !service.disabled && !service.frozen && !up.has(backendKeyOf(service)))
      .map((service) => ({ key: backendKeyOf(service), silentMs: service.silentMs }));
  }

  /** Reads now; calls that overlap share one reading. Never rejects. */
  refresh(): Promise<void> {
    this.#reading ??= this.#options
      .read()
      .then((services) => this.#take(services), this.#options.onError)
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  #take(services: readonly ListedService[]): void {
    this.#services = services;
    this.#options.pools.setServices(services);
    this.#options.onRead();
  }
}
