/** The volumes that a pool has promised room to: those that are there and those on their way, each once. */
export class Promised {
  readonly #gibById = new Map<string, number>();
  #gib = 0;

  /** GiB of all of them. */
  get gib(): number {
    return this.#gib;
  }

  /** Their ids, as of now. */
  get ids(): ReadonlySet<string> {
    return new Set(this.#gibById.keys());
  }

  /** Adds a volume; false: it counts already, and nothing changes. */
  add(id: string, gib: number): boolean {
    if (this.#gibById.has(id)) return false;
    this.#gibById.set(id, gib);
    this.#gib += gib;
    return true;
  }

  has(id: string): boolean {
    return this.#gibById.has(id);
  }

  /** Safe to repeat. */
  remove(id: string): void {
    this.#gib -= this.#gibById.get(id) ?? 0;
    this.#gibById.delete(id);
    if (this.#gibById.size === 0) this.#gib = 0; // sums of fractions drift
  }
}
