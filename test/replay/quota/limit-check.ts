import { isFault } from '#src/errors/fault.js';
import { limitCheck } from '#src/quota/over-quota.js';
import type { Replay } from '../replay.js';
import { differing, eachOn } from './parts.js';
import type { QuotaCase, State } from './state.js';
import { World } from './world.js';

interface Input extends State {
  readonly context: { readonly project: string; readonly quota_class?: string };
  /** Whose limits. */
  readonly project?: string;
  readonly values: Readonly<Record<string, number>>;
}

type Case = QuotaCase<Input>;

/** Checks against limits that are not counted, by the limits that are stored. */
export const limitChecks: Replay = {
  kind: 'limit_check',
  failing: (cases) =>
    eachOn(cases as readonly Case[], async (parts, { input, expect }) => {
      const { context, project = context.project, values } = input;
      const world = await World.of(parts, input);
      const limitOf = await world.limits.of(project, context.quota_class);
      return differing(
        expect,
        refused(() => checked(limitCheck(values, limitOf))),
      );
    }),
};

function checked(over: ReturnType<typeof limitCheck>): unknown {
  if (over.length === 0) return { outcome: 'ok' };
  const quotas = Object.fromEntries(over.map(({ resource, limit }) => [resource, limit]));
  return { outcome: 'over', overs: over.map(({ resource }) => resource), quotas, usages: {} };
}

/** What `check` answers, or what it refuses, and why. */
function refused(check: () => unknown): unknown {
  try {
    return check();
  } catch (error) {
    if (isFault(error)) return { outcome: 'error', error: error.name, ...error.facts };
    throw error;
  }
}
