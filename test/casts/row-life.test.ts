import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { applyFenced, type Claim, Fenced, finish, handOver } from '#src/casts/claim.js';
import { RowCountMismatch, type Store } from '#src/db/store.js';
import { claimWorker, giveBackWorker, takeOverWorker } from '#src/db/worker-claims.js';
import type { ReadyWorker } from '#src/db/worker-row.js';
import { delayWorker, putReadyWorker } from '#src/db/workers.js';
import { storesFor } from '../support/sql.js';
import { CONTEXT, eventsOf, note, readyRow, rowOf } from './rows.js';

const OWNERS = ['one', 'two', 'three'] as const;
type Owner = (typeof OWNERS)[number];

/** What somebody tries. `claim` picks among all claims that owner ever got: most are long over. */
type Attempt =
  | { readonly kind: 'claim' | 'take over'; readonly owner: Owner; readonly behind: number }
  | { readonly kind: 'write' | 'finish' | 'hand over' | 'give back'; readonly owner: Owner; readonly claim: number }
  | { readonly kind: 'replace' | 'delay' };

const owner = fc.constantFrom(...OWNERS);
const attempt: fc.Arbitrary<Attempt> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('claim'), owner, behind: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('take over'), owner, behind: fc.nat(1) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write'), owner, claim: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('hand over', 'give back'), owner, claim: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('finish'), owner, claim: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('replace', 'delay') }) },
);

/** What is tried at the same time, one after the other. */
const life = fc.array(fc.array(attempt, { minLength: 1, maxLength: 4 }), { minLength: 5, maxLength: 20 });

storesFor('whatever its owners do at once, in each epoch of a row at most one of them writes', async (t, store) => {
  await fc.assert(
    fc.asyncProperty(life, async (rounds) => {
      const row = await readyRow(store, { work: 'create' });
      const play = new Play(store, row);
      for (const round of rounds) {
        const before = await rowOf(store, row.resourceId);
        const wrote = (await Promise.all(round.map((one) => play.attempt(one)))).flat();
        for (const { epoch, owner: writer } of wrote) {
          // whoever writes was the owner when the round began, or became it in the round
          t.true(epoch >= (before?.epoch ?? Infinity), `${writer} wrote in epoch ${epoch} of ${before?.epoch}`);
          if (epoch === before?.epoch) t.is(writer, before.owner as Owner);
        }
      }
      const epochs = play.claims.map(({ epoch }) => epoch);
      t.is(new Set(epochs).size, epochs.length, 'an epoch has one owner');
      t.deepEqual(
        [...(await eventsOf(store, row.resourceId))].sort(),
        play.written.sort(),
        'and only what succeeded is there',
      );
    }),
    { numRuns: store.dialect === 'sqlite' ? 150 : 40 },
  );
});

/** One row, and all that was ever granted and written. */
class Play {
  readonly claims: Claim[] = [];
  readonly written: string[] = [];
  readonly #store: Store;
  readonly #row: ReadyWorker;

  constructor(store: Store, row: ReadyWorker) {
    this.#store = store;
    this.#row = row;
  }

  /** Tries it, and answers the claims under which something was written. */
  async attempt(one: Attempt): Promise<readonly Claim[]> {
    switch (one.kind) {
      case 'claim':
      case 'take over':
        await this.#grant(one.kind, one.owner, one.behind);
        return [];
      case 'replace': {
        const { target, message } = this.#row;
        // the next operation on a resource begins later than the one before: by more ms than that one had owners
        if (!(await rowOf(this.#store, this.#row.resourceId))) await delay(50);
        const key = { resourceType: this.#row.resourceType, resourceId: this.#row.resourceId };
        await this.#store.apply([putReadyWorker({ ...key, status: 'deleting', target, message, context: CONTEXT })]);
        return [];
      }
      case 'delay':
        await this.#store.apply([delayWorker({ ...this.#row, epoch: await this.#epoch() }, 1)]);
        return [];
      default: {
        const claim = this.claims.filter(({ owner: whose }) => whose === one.owner).at(-1 - one.claim);
        return claim && (await this.#write(one.kind, claim)) ? [claim] : [];
      }
    }
  }

  async #grant(kind: 'claim' | 'take over', who: Owner, behind: number): Promise<void> {
    const { resourceType, resourceId, target, message } = this.#row;
    const epoch = (await this.#epoch()) - behind;
    const key = { resourceType, resourceId, epoch };
    const [done] = await this.#store.apply([
      kind === 'claim'
        ? claimWorker({ ...key, owner: who, binary: message.binary, target, serviceId: null })
        : takeOverWorker(key, { owner: who, serviceId: null }),
    ]);
    const claims = done?.returned[0]?.['claims'];
    if (claims === undefined) return;
    const { method } = message;
    const resumed = kind === 'take over';
    const rest = { target, method, ageMs: 0, resumed, context: CONTEXT };
    this.claims.push({ ...key, ...rest, epoch: epoch + 1, owner: who, claims: Number(claims) });
  }

  async #write(kind: 'write' | 'finish' | 'hand over' | 'give back', claim: Claim): Promise<boolean> {
    const text = `${kind} ${claim.owner} ${claim.epoch} ${this.written.length} ${Math.random()}`;
    const { target, message } = this.#row;
    const ending = {
      write: [],
      finish: [finish(claim)],
      'hand over': [handOver(claim, { status: 'creating', target, message })],
      'give back': [giveBackWorker(claim, 0)],
    }[kind];
    try {
      await applyFenced(this.#store, claim, [note(claim.resourceId, text), ...ending]);
    } catch (error) {
      if (error instanceof Fenced || error instanceof RowCountMismatch) return false;
      throw error;
    }
    this.written.push(text);
    return true;
  }

  async #epoch(): Promise<number> {
    return (await rowOf(this.#store, this.#row.resourceId))?.epoch ?? 1;
  }
}
