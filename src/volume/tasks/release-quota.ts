import type { Task } from '../../flow/flow.js';
import type { Release } from '../outcomes.js';

export interface ReleaseQuotaParts {
  /** Gives a project's amounts back and settles the release. */
  readonly releaseQuota: (release: Release) => Promise<void>;
  /** Told that recovery must do it. */
  readonly onReleaseLeft: (release: Release, error: unknown) => void;
}

/**
 * Gives the project its amounts back. Best effort: the release is on record, and quota recovery applies what is left.
 * Rule: docs/protocols.md §Q DELETE.
 */
export const releaseQuota = (parts: ReleaseQuotaParts): Task<{ release: Release | null }> => ({
  name: 'ReleaseQuota',

  async execute({ release }) {
    if (release) await parts.releaseQuota(release).catch((error: unknown) => parts.onReleaseLeft(release, error));
    return {};
  },
});
