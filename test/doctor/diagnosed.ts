import type { Store } from '#src/db/store.js';
import type { Check } from '#src/doctor/check.js';
import { diagnose, type Finding } from '#src/doctor/diagnosis.js';
import { settlementCheck } from '#src/doctor/settlements.js';
import { volumeCheck } from '#src/doctor/volumes.js';
import { workCheck } from '#src/doctor/work.js';
import { CONTEXT } from '../casts/rows.js';

/** Silence after which a process is dead. */
export const DOWN_MS = 60_000;
/** The longest that a flow takes. */
export const FLOW_MS = 10_000;

/** The checks of the records; `recounted` gets the projects whose usage is counted anew. */
export function checks(store: Store, recounted: string[] = []) {
  const common = {
    store,
    messageTtlMs: 60_000,
    recount: async (projectId: string) => void recounted.push(projectId),
  };
  return {
    work: workCheck({ ...common, downAfterMs: DOWN_MS }),
    volumes: volumeCheck({ ...common, context: CONTEXT }),
    settlements: settlementCheck({ ...common, flowDeadlineMs: FLOW_MS }),
  };
}

/** What a diagnosis of the records says. */
export async function diagnosed(store: Store, repair = false, only?: readonly Check[]) {
  const findings: Finding[] = [];
  const examined: Record<string, number> = {};
  const recounted: string[] = [];
  const { signal } = new AbortController();
  const said = diagnose(only ?? Object.values(checks(store, recounted)), { repair, confirmAfterMs: 1, signal });
  for await (const each of said) {
    if ('finding' in each) findings.push(each.finding);
    else examined[each.examined.subject] = each.examined.count;
  }
  return { findings, examined, recounted };
}
