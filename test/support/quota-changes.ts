import { randomUUID } from 'node:crypto';
import {
  deleteOpenCharge,
  insertCharge,
  insertHold,
  insertRelease,
  markFinal,
  markHeld,
  markUndo,
  type NewSettlement,
} from '#src/db/quota-settlements.js';
import { disownAndCount } from '#src/db/quota-sums.js';
import type { Step } from '#src/db/store.js';
import { Fault } from '#src/errors/fault.js';
import type { Amounts } from '#src/quota/resources.js';
import { sumsOf } from '#src/quota/sums.js';
import { type Engine, soon } from './quota.js';

/** What an operation without a flow of its own does, as the protocol has it: reserve, record, decide, settle. */
export interface Change {
  readonly projectId: string;
  readonly deltas: Amounts;
  /** What it does to the records. */
  readonly steps: readonly Step[];
}

/** Reserves, records and commits. Throws Fault UnexpectedOverQuota, with all that are over, and changes no record. */
export async function charged(engine: Engine, change: Change): Promise<void> {
  const charge = await reserved(engine, change);
  await engine.store.apply([insertCharge(charge), ...change.steps]);
  const word = await engine.settlements.commit(charge, soon());
  if (word !== 'committed') throw new Error(`the charge is ${word}`);
  await engine.store.apply([deleteOpenCharge(charge.id)]);
}

/** Work that is longer than its request: what it asked for is held, until the work has ended. */
export interface LongChange {
  /** The records change, and use follows. */
  finish(): Promise<void>;
  /** The records stay as they were. */
  fail(): Promise<void>;
}

/** Reserves and holds. Throws as `charged`. */
export async function held(engine: Engine, change: Change): Promise<LongChange> {
  const { store, settlements } = engine;
  const hold = await reserved(engine, change);
  await store.apply([insertHold(hold)]);
  const word = await settlements.hold(hold, soon());
  if (word !== 'held') throw new Error(`the hold is ${word}`);
  await store.apply([markHeld(hold.id)]);
  return {
    async finish() {
      await store.apply([markFinal(hold.id), ...change.steps]);
      await settlements.settle(hold, soon());
    },
    async fail() {
      await store.apply([markUndo(hold.id)]);
      await settlements.settle(hold, soon());
    },
  };
}

/** Changes the records and gives back what they do not use any more. */
export async function released({ store, settlements, quota }: Engine, { steps, ...change }: Change): Promise<void> {
  const release = settlementOf(change);
  await store.apply([...steps, insertRelease(release, quota.graceMs)]);
  await settlements.settle(release, soon());
}

/** What a project uses beyond nothing, by key; each also with what is reserved: `7/2`. */
export async function used({ quota, store }: Engine, projectId: string, keys: readonly string[]) {
  const sums = sumsOf(await disownAndCount(store, projectId), { countSnapshotGib: true });
  const usage = await quota.usage(projectId, [...new Set([...keys, ...sums.keys()])], soon());
  const shown = [...usage].map(([key, { inUse, reserved: r }]) => [key, r === 0 ? `${inUse}` : `${inUse}/${r}`]);
  return Object.fromEntries(shown.filter(([, text]) => text !== '0').sort()) as Record<string, string>;
}

/** What a project's records say that it uses, in the same form. */
export async function recordedUse({ store }: Engine, projectId: string, countSnapshotGib = true) {
  const sums = sumsOf(await disownAndCount(store, projectId), { countSnapshotGib });
  return Object.fromEntries([...sums].map(([key, sum]) => [key, `${sum}`]).sort()) as Record<string, string>;
}

async function reserved({ quota }: Engine, { projectId, deltas }: Change): Promise<NewSettlement> {
  const settlement = settlementOf({ projectId, deltas });
  const reply = await quota.reserve(projectId, deltas, { id: settlement.id, deadline: soon() });
  if (reply.answer === 'reserved') return settlement;
  const name = reply.over.map(({ resource }) => resource).join(', ');
  throw new Fault('UnexpectedOverQuota', { name, over: reply.over });
}

function settlementOf({ projectId, deltas }: Pick<Change, 'projectId' | 'deltas'>): NewSettlement {
  return { id: randomUUID(), projectId, deltas, resourceType: 'Anything', resourceId: randomUUID() };
}
