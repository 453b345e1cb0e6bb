import { listQuotaProjects } from '../db/quota-projects.js';
import type { Store } from '../db/store.js';
import type { QuotaCheck } from '../quota/check.js';
import type { Difference } from '../quota/differences.js';
import { LAST_ID } from '../db/diagnosis.js';
import { deadlineIn } from '../time/deadline.js';
import type { Check, Suspect } from './check.js';

export interface QuotaDoctorParts {
  readonly store: Store;
  readonly check: Pick<QuotaCheck, 'run'>;
  /** How long the look at one project may take, ms. */
  readonly patienceMs: number;
}

/** Projects looked at together: decisions about each wait for some ms, one after the other. */
const PAGE = 50;

/** The usage in Redis is what the records say, project by project. Rule: docs/protocols.md §Q, AUDIT. */
export function quotaCheck({ store, check, patienceMs }: QuotaDoctorParts): Check {
  const differencesOf = (projectId: string, mend: boolean, signal: AbortSignal) =>
    check.run(projectId, { by: 'request', mend }, deadlineIn(patienceMs, signal));

  return {
    subject: 'quota',
    async look({ after, until = LAST_ID }, signal) {
      const projects = await listQuotaProjects(store, { after, limit: PAGE });
      const suspects: Suspect[] = [];
      for (const projectId of projects.filter((each) => each <= until)) {
        const differences = await differencesOf(projectId, false, signal);
        if (differences.length === 0) continue;
        suspects.push({
          ...{ kind: 'quota_differs', resource: projectId, description: inWords(differences) },
          sign: JSON.stringify(differences.map(({ resource, figure }) => [resource, figure])),
          async repair(stop) {
            await differencesOf(projectId, true, stop);
            return 'the quota was counted anew from the records';
          },
        });
      }
      const last = projects.length < PAGE ? undefined : projects.at(-1);
      return { examined: projects.length, suspects, ...(last !== undefined && { last }) };
    },
  };
}

/** Differences that are named. */
const NAMED = 5;

function inWords(differences: readonly Difference[]): string {
  const named = differences.slice(0, NAMED).map(({ resource, figure, recorded, inRedis }) => {
    return figure === 'corrupt'
      ? `${resource} is not readable`
      : `${resource} ${figure} ${inRedis} instead of ${recorded}`;
  });
  const more = differences.length - named.length;
  return `in Redis: ${named.join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}
