import { LAST_ID, settlementFacts, type SettlementFacts } from '../db/diagnosis.js';
import { undoIdleHold } from '../db/repairs.js';
import type { Store } from '../db/store.js';
import type { Check, Suspect } from './check.js';

export interface SettlementCheckParts {
  readonly store: Store;
  /** `api_flow_deadline`, ms. */
  readonly flowDeadlineMs: number;
}

/** Rows looked at together. */
const PAGE = 500;
/** Flow deadlines after which recovery has had its turn with every row that it can settle, many times. */
const LEFT_AFTER = 4;

/** Charges, releases and holds on their way to Redis: each arrives. Rule: docs/protocols.md §Q RECOVERY. */
export function settlementCheck({ store, flowDeadlineMs }: SettlementCheckParts): Check {
  return {
    subject: 'settlements',
    async look({ after, until = LAST_ID }) {
      const rows = await settlementFacts(store, { after, until, limit: PAGE });
      const suspects = rows.flatMap((row) => suspectsOf(store, row, LEFT_AFTER * flowDeadlineMs));
      const last = rows.length < PAGE ? undefined : rows.at(-1)?.id;
      return { examined: rows.length, suspects, ...(last !== undefined && { last }) };
    },
  };
}

function suspectsOf(store: Store, row: SettlementFacts, leftAfterMs: number): readonly Suspect[] {
  const { id, kind, state, projectId, resourceType, resourceId, ageMs, hasWork } = row;
  const what = `of ${resourceType} ${resourceId} in project ${projectId}`;
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
