import { Fault } from '../../errors/fault.js';

/** How many requests of one project are under way; more than `limit` are refused, so that one project cannot starve the rest. */
export class InFlight {
  readonly #limit: number;
  readonly #what: string;
  /** Projects with nothing under way have no entry. */
  readonly #counts = new Map<string, number>();

  constructor(limit: number, what: string) {
    this.#limit = limit;
    this.#what = what;
  }

  /** Throws Fault TooManyRequests; otherwise `leave` must follow. */
  enter(projectId: string): void {
    const count = this.#counts.get(projectId) ?? 0;
    if (count >= this.#limit) throw new Fault('TooManyRequests', { what: this.#what, limit: this.#limit });
    this.#counts.set(projectId, count + 1);
  }

  leave(projectId: string): void {
    const count = this.#counts.get(projectId) ?? 0;
    if (count <= 1) this.#counts.delete(projectId);
    else this.#counts.set(projectId, count - 1);
  }
}
