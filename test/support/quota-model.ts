import type { Word } from '#src/quota/scripts.js';

/** Resource → amount. */
export type Deltas = Readonly<Record<string, number>>;

/** What one script is asked; `deltas` of a reservation are those it was made with, unless the asker is confused. */
export type Ask =
  | { readonly verb: 'reserve'; readonly id: string; readonly deltas: Deltas }
  | { readonly verb: 'commit' | 'rollback' | 'hold'; readonly id: string }
  | { readonly verb: 'revoke' | 'release' | 'late release'; readonly id: string; readonly deltas: Deltas }
  | { readonly verb: 'usage' }
  | { readonly verb: 'list' };

/** What it answered: everything but times and notes. */
export interface Answer {
  readonly said: string;
  readonly clamped: string;
}

interface Live {
  readonly deltas: Deltas;
  readonly isHeld: boolean;
}

/**
 * What the scripts must do, without Redis: a project's amounts in use, its live reservations and the words of those that
 * are not. Rule: docs/protocols.md §Q, EVERY SCRIPT.
 */
export class QuotaModel {
  readonly inUse: Map<string, number>;
  readonly live: Map<string, Live>;
  readonly words: Map<string, Word>;
  /** Reservations whose deadline is over, until somebody asks anything. */
  readonly due: Set<string>;
  limits: Deltas;
  /** Redis holds another incarnation's sums, or nothing. */
  isStale: boolean;

  constructor(limits: Deltas, from?: QuotaModel) {
    this.inUse = new Map(from?.inUse);
    this.live = new Map(from?.live);
    this.words = new Map(from?.words);
    this.due = new Set(from?.due);
    this.limits = limits;
    this.isStale = from?.isStale ?? false;
  }

  copy(): QuotaModel {
    return new QuotaModel(this.limits, this);
  }

  /** What is promised of a resource: by reservations, or by holds. */
  promised(resource: string, isHeld: boolean): number {
    const amounts = [...this.live.values()].filter((one) => one.isHeld === isHeld).map(({ deltas }) => deltas);
    return amounts.reduce((sum, deltas) => sum + Math.max(0, deltas[resource] ?? 0), 0);
  }

  ask(ask: Ask): Answer {
    if (this.isStale) return { said: 'rebuild', clamped: '' };
    for (const id of this.due) {
      this.live.delete(id);
      this.words.set(id, 'expired');
    }
    this.due.clear();
    switch (ask.verb) {
      case 'reserve':
        return { said: this.#reserve(ask.id, ask.deltas), clamped: '' };
      case 'usage':
        return { said: JSON.stringify(this.#usage()), clamped: '' };
      case 'list':
        return { said: JSON.stringify(this.#list()), clamped: '' };
      case 'release':
      case 'late release':
        return this.#release(ask.id, ask.deltas, ask.verb === 'late release');
      default:
        return this.#settle(ask.id, ask.verb, ask.verb === 'revoke' ? ask.deltas : {});
    }
  }

  /** The records are counted: what was not decided is forgotten, and words that no record has are left as they are. */
  rebuilt(): void {
    for (const [id, { isHeld }] of this.live) if (!isHeld) this.live.delete(id);
    this.due.clear();
    this.isStale = false;
  }

  /** Words that follow from the records. */
  settled(): [id: string, word: Word][] {
    return [...this.words].filter(([, word]) => word === 'committed' || word === 'revoked' || word === 'released');
  }

  /** Redis has lost everything but these words; what the records know comes back with the next rebuild. */
  lost(words: ReadonlyMap<string, Word>): void {
    const known = this.settled();
    this.words.clear();
    for (const [id, word] of [...words, ...known]) this.words.set(id, word);
    this.isStale = true;
  }

  #reserve(id: string, asked: Deltas): string {
    const found = this.live.get(id);
    const word = found?.isHeld ? 'held' : this.words.get(id);
    if (found && !found.isHeld) return same(found.deltas, asked) ? 'reserved' : 'differs';
    if (word) return `settled ${word}`;
    const over = Object.entries(asked).flatMap(([resource, amount]) => {
      const limit = this.limits[resource] ?? -1;
      const [inUse, reserved] = [this.#inUse(resource), this.#promised(resource)];
      const isOver = amount >= 0 && limit >= 0 && inUse + reserved + amount > limit;
      return isOver ? [{ resource, limit, inUse, reserved, asked: amount }] : [];
    });
    if (over.length > 0) return `over ${JSON.stringify(over)}`;
    this.live.set(id, { deltas: asked, isHeld: false });
    return 'reserved';
  }

  #settle(id: string, verb: 'commit' | 'rollback' | 'revoke' | 'hold', deltas: Deltas): Answer {
    const found = this.live.get(id);
    if (!found) {
      const word = this.words.get(id) ?? 'unknown';
      if (verb !== 'revoke' || word !== 'committed') return { said: word, clamped: '' };
      return { said: this.#end(id, 'revoked'), clamped: this.#add(deltas, -1) };
    }
    if (found.isHeld && (verb === 'hold' || verb === 'rollback')) return { said: 'held', clamped: '' };
    if (verb === 'hold') {
      this.live.set(id, { ...found, isHeld: true });
      return { said: 'held', clamped: '' };
    }
    this.live.delete(id);
    if (verb === 'commit') return { said: this.#end(id, 'committed'), clamped: this.#add(found.deltas, 1) };
    return { said: this.#end(id, 'rolledback'), clamped: '' };
  }

  #release(id: string, deltas: Deltas, isLate: boolean): Answer {
    if (isLate) return { said: 'late', clamped: '' };
    const word = this.words.get(id);
    if (word) return { said: word, clamped: '' };
    return { said: this.#end(id, 'released'), clamped: this.#add(deltas, -1) };
  }

  #end(id: string, word: Word): Word {
    this.words.set(id, word);
    return word;
  }

  /** Returns what would have become negative. */
  #add(deltas: Deltas, sign: 1 | -1): string {
    const clamped: string[] = [];
    for (const [resource, amount] of Object.entries(deltas)) {
      const sum = this.#inUse(resource) + sign * amount;
      if (sum < 0) clamped.push(`${resource} in use`);
      this.inUse.set(resource, Math.max(0, sum));
    }
    return clamped.join(',');
  }

  #promised(resource: string): number {
    return this.promised(resource, false) + this.promised(resource, true);
  }

  #inUse(resource: string): number {
    return this.inUse.get(resource) ?? 0;
  }

  #usage(): (readonly [number, number])[] {
    return Object.keys(this.limits).map((resource) => [this.#inUse(resource), this.#promised(resource)]);
  }

  #list(): [id: string, isHeld: boolean, deltas: Deltas][] {
    const rows = [...this.live].map(([id, { isHeld, deltas }]): [string, boolean, Deltas] => [id, isHeld, deltas]);
    return rows.sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function same(a: Deltas, b: Deltas): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}
