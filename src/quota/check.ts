import type { Log } from '../log/log.js';
import type { Deadline } from '../time/deadline.js';
import { audit, type AuditParts, type Books } from './audit.js';
import { differencesIn, type Difference } from './differences.js';
import { orUnavailable } from './or-unavailable.js';
import type { Rebuild } from './rebuild.js';
import type { SnapshotOptions } from './deltas/snapshot.js';

/** What a check works with. */
export interface CheckParts extends AuditParts {
  readonly rebuild: Rebuild;
  /** How the records are added up. */
  readonly sums: SnapshotOptions;
  readonly log: Pick<Log, 'warn'>;
  /** Told how each check ended; never throws. @default nobody */
  readonly onChecked?: (by: CheckedBy, outcome: CheckOutcome) => void;
}

/** Who wants to know. */
export type CheckedBy = 'request' | 'reconciler';

/** `unloaded`: there is nothing in Redis that could be wrong. */
export type CheckOutcome = 'right' | 'unloaded' | 'different' | 'mended' | 'failed';

/** Differences named in a line of the log. */
const MAX_LOGGED = 10;

/** Compares what Redis says of projects with the records, which are the truth. Exact also while volumes come and go. */
export class QuotaCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  /**
   * The differences of a project; `mend`: and makes them good by a rebuild. Safe to repeat.
   * Throws Fault QuotaUnavailable, DatabaseUnavailable.
   */
  async run(
    projectId: string,
    { by, mend }: { readonly by: CheckedBy; readonly mend: boolean },
    deadline: Deadline,
  ): Promise<readonly Difference[]> {
    const { onChecked = () => undefined } = this.#parts;
    try {
      const differences = await this.#differences(projectId, deadline);
      if (!differences) {
        onChecked(by, 'unloaded');
        return [];
      }
      if (differences.length > 0 && mend) await this.#mend(projectId, differences, deadline);
      onChecked(by, differences.length === 0 ? 'right' : mend ? 'mended' : 'different');
      return differences;
    } catch (error) {
      onChecked(by, 'failed');
      throw error;
    }
  }

  /**
   * Both books at one moment; sums that nobody would believe are made anew first. Throws Fault QuotaUnavailable,
   * DatabaseUnavailable.
   */
  async books(projectId: string, deadline: Deadline): Promise<Books> {
    for (;;) {
      const audited = await audit(this.#parts, projectId, deadline);
      if (audited.state === 'read') return audited.books;
      const reason = audited.state === 'corrupt' ? 'unknown' : 'stale';
      await orUnavailable(this.#parts.rebuild.run(projectId, reason, deadline));
    }
  }

  /** Undefined: Redis has nothing that anybody would believe. */
  async #differences(projectId: string, deadline: Deadline): Promise<readonly Difference[] | undefined> {
    const audited = await audit(this.#parts, projectId, deadline);
    switch (audited.state) {
      case 'read':
        return differencesIn(audited.books, this.#parts.sums);
      case 'corrupt':
        return [{ resource: audited.key, figure: 'corrupt', recorded: 0, inRedis: 0 }];
      case 'unloaded':
        return undefined;
    }
  }

  async #mend(projectId: string, differences: readonly Difference[], deadline: Deadline): Promise<void> {
    await orUnavailable(this.#parts.rebuild.run(projectId, 'unknown', deadline));
    this.#parts.log.warn('quota was not what the records say, and was mended', {
      projectId,
      count: differences.length,
      differences: differences.slice(0, MAX_LOGGED),
    });
  }
}
