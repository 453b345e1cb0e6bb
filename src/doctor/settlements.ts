import { LAST_ID, settlementFacts, type SettlementFacts } from '../db/diagnosis.js';
import { forgetSettlement, undoIdleHold } from '../db/repairs.js';
import type { Store } from '../db/store.js';
import type { Check, Suspect } from './check.js';

export interface SettlementCheckParts {
  readonly store: Store;
  /** `api_flow_deadline`, ms. */
  readonly flowDeadlineMs: number;
  /** Makes a project's usage in Redis what the records say. Throws QuotaUnavailable. */
  readonly recount: (projectId: string, signal: AbortSignal) => Promise<void>;
}

/** Rows looked at together. */
const PAGE = 500;
/** Flow deadlines after which recovery has had its turn with every row that it can settle, many times. */
const LEFT_AFTER = 4;

/** Charges, releases and holds on their way to Redis: each arrives. Rule: docs/protocols.md §Q RECOVERY. */
export function settlementCheck(parts: SettlementCheckParts): Check {
  const { store, flowDeadlineMs } = parts;
  return {
    subject: 'settlements',
    async look({ after, until = LAST_ID }) {
      const rows = await settlementFacts(store, { after, until, limit: PAGE });
      const suspects = rows.flatMap((row) => suspectsOf(parts, row, LEFT_AFTER * flowDeadlineMs));
      const last = rows.length < PAGE ? undefined : rows.at(-1)?.id;
      return { examined: rows.length, suspects, ...(last !== undefined && { last }) };
    },
  };
}

const KNOWN: Readonly<Record<'kinds' | 'states', ReadonlySet<string>>> = {
  kinds: new Set<SettlementFacts['kind']>(['charge', 'release', 'hold']),
  states: new Set<SettlementFacts['state']>(['open', 'undo', 'void', 'held', 'final']),
};

function suspectsOf(parts: SettlementCheckParts, row: SettlementFacts, leftAfterMs: number): readonly Suspect[] {
  const { store } = parts;
  const { id, kind, state, projectId, resourceType, resourceId, ageMs, hasWork } = row;
  const what = `of ${resourceType} ${resourceId} in project ${projectId}`;
  // damaged amounts are settled by counting; where that does not come about, something else is wrong with the row too
  const isDamaged = row.isDamaged && state !== 'held' && ageMs > leftAfterMs;
  if (isDamaged || !KNOWN.kinds.has(kind) || !KNOWN.states.has(state)) {
    const description = `the ${state} ${kind} ${what} is not as any process writes it`;
    const repair = async (signal: AbortSignal): Promise<string> => {
      await store.apply([forgetSettlement(id, state)]);
      await parts.recount(projectId, signal);
      return 'the row was removed, and the quota of its project was counted anew';
    };
    return [{ kind: 'settlement_unreadable', resource: id, description, sign: `${kind} ${state}`, repair }];
  }
  if (state === 'held') {
    if (hasWork) return [];
    const description = `quota is held for work ${what} that is not there`;
    const repair = async (): Promise<string> => {
      await store.apply([undoIdleHold(id)]);
      return 'the hold is undone: recovery gives it back within seconds';
    };
    return [{ kind: 'hold_without_work', resource: id, description, sign: state, repair }];
  }
  if (ageMs <= leftAfterMs) return [];
  const description = `the ${state} ${kind} ${what} has not reached Redis for ${Math.round(ageMs / 1_000)} s`;
  return [{ kind: 'settlement_left', resource: id, description, sign: state }];
}
