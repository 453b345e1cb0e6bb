import type { PoolCapacity, VolumePlace } from '../drivers/driver.js';

/** A capacity claim of a scheduler that is over: the driver's figures count the volume, or it was not made. */
export interface IncludedClaim {
  readonly volumeId: string;
  /** Of our claim on the work; the scheduler's was a lower one. */
  readonly epoch: number;
  readonly pool: string;
}

/** Claims of each kind that are kept for the next report; one that is not reported ends by its deadline. */
const MOST_CLAIMS = 10_000;

/**
 * Which volumes count in a backend's `allocated_capacity_gb`. A volume counts once, however often its creation is begun;
 * so that adding and removing may be repeated.
 */
export class Allocations {
  readonly #volumes = new Map<string, VolumePlace>();
  readonly #gibByPool = new Map<string, number>();
  /** Claims of works that are over and not reported. */
  #ended: IncludedClaim[] = [];
  /** Claims of creations under way, by volume. */
  readonly #begun = new Map<string, IncludedClaim>();

  /** Begins anew with what the records say. */
  reset(volumes: readonly VolumePlace[]): void {
    this.#volumes.clear();
    this.#gibByPool.clear();
    for (const volume of volumes) this.#count(volume);
  }

  /** A volume is being made, under a claim. */
  add(volume: VolumePlace, epoch: number): void {
    this.#count(volume);
    const { id: volumeId, pool } = volume;
    if (this.#begun.size < MOST_CLAIMS) this.#begun.set(volumeId, { volumeId, epoch, pool });
  }

  /** The work on a volume is over, however it ended: the driver's figures say so from now on. */
  include(claim: IncludedClaim): void {
    this.leave(claim);
    if (this.#ended.length < MOST_CLAIMS) this.#ended.push(claim);
  }

  /** The work goes on under another claim, or by another owner, who says when it is over. */
  leave({ volumeId, epoch }: Pick<IncludedClaim, 'volumeId' | 'epoch'>): void {
    if (this.#begun.get(volumeId)?.epoch === epoch) this.#begun.delete(volumeId);
  }

  remove(id: string): void {
    this.#begun.delete(id);
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

  /** How many claims of works that are over wait to be reported. */
  get unreported(): number {
    return this.#ended.length;
  }

  /** The claims of works that have ended since the last call: figures that are read from now on say how. */
  takeEnded(): readonly IncludedClaim[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /**
   * The claims whose volumes these figures count, made or still in the making: the figures hold the room from here on, and
   * counting both would leave it unsold. A work under way is answered each time, and once more when it has ended.
   */
  takeCounted(figures: readonly Pick<PoolCapacity, 'name' | 'volumes'>[]): readonly IncludedClaim[] {
    const counted = new Map(figures.map(({ name, volumes }) => [name, volumes]));
    const isCounted = ({ volumeId, pool }: IncludedClaim): boolean => counted.get(pool)?.has(volumeId) ?? false;
    const ended = this.#ended.filter(isCounted);
    this.#ended = this.#ended.filter((claim) => !isCounted(claim));
    return [...ended, ...[...this.#begun.values()].filter(isCounted)];
  }

  #count(volume: VolumePlace): void {
    this.remove(volume.id);
    this.#volumes.set(volume.id, volume);
    this.#gibByPool.set(volume.pool, this.inPool(volume.pool) + volume.sizeGib);
  }
}
