import type { VolumePlace } from '../drivers/driver.js';

/** A capacity claim of a scheduler that is over: the driver's figures include the volume, or it was not made. */
export interface IncludedClaim {
  readonly volumeId: string;
  /** Of our claim on the work; the scheduler's was a lower one. */
  readonly epoch: number;
  readonly pool: string;
}

/** Claims that are kept for the next report; one that is not reported ends by its deadline. */
const MOST_INCLUDED = 10_000;

/**
 * Which volumes count in a backend's `allocated_capacity_gb`. A volume counts once, however often its creation is begun;
 * so that adding and removing may be repeated.
 */
export class Allocations {
  readonly #volumes = new Map<string, VolumePlace>();
  readonly #gibByPool = new Map<string, number>();
  #included: IncludedClaim[] = [];

  /** Begins anew with what the records say. */
  reset(volumes: readonly VolumePlace[]): void {
    this.#volumes.clear();
    this.#gibByPool.clear();
    for (const volume of volumes) this.#count(volume);
  }

  /** A volume is being made. */
  add(volume: VolumePlace): void {
    this.#count(volume);
  }

  /** The work on a volume is over, however it ended: what it takes is in the driver's figures from now on. */
  include(claim: IncludedClaim): void {
    if (this.#included.length < MOST_INCLUDED) this.#included.push(claim);
  }

  remove(id: string): void {
    const volume = this.#volumes.get(id);
    if (!volume) return;
    this.#volumes.delete(id);
    this.#gibByPool.set(volume.pool, this.inPool(volume.pool) - volume.sizeGib);
  }

  has(id: string): boolean {
    return this.#volumes.has(id);
  }

  /** GiB of a pool's volumes. */
  inPool(pool: string): number {
    return this.#gibByPool.get(pool) ?? 0;
  }

  /** How many claims wait to be reported as included. */
  get unreported(): number {
    return this.#included.length;
  }

  /** The claims that figures read from now on include, since the last call. */
  takeIncluded(): readonly IncludedClaim[] {
    const included = this.#included;
    this.#included = [];
    return included;
  }

  #count(volume: VolumePlace): void {
    this.remove(volume.id);
    this.#volumes.set(volume.id, volume);
    this.#gibByPool.set(volume.pool, this.inPool(volume.pool) + volume.sizeGib);
  }
}
