import type { Faults } from './faults.js';
import { isKillPoint, KILL_POINTS } from './kill-points.js';
import type { Ledger } from './ledger.js';
import type { Ends, Member } from './member.js';

/** What a run has counted. */
export interface Counted {
  readonly seed: number;
  readonly rounds: number;
  readonly faults: Pick<Faults, 'counts' | 'hit'>;
  readonly members: readonly Pick<Member, 'ends' | 'startsMs'>[];
  readonly ledger: Pick<Ledger, 'count'>;
  /** Requests of which their client did not know how they had ended, until it repeated them. */
  readonly doubts: number;
  readonly recoveriesMs: readonly number[];
  /** Of the largest process, against itself when it was warm. */
  readonly growth: number;
}

/** One line. */
export function figuresOf({ seed, rounds, faults, members, ledger, doubts, recoveriesMs, growth }: Counted): string {
  const counts = [...faults.counts].toSorted().map(([kind, count]) => `${kind} ${count}`);
  const ended = (how: keyof Ends): number => members.reduce((sum, { ends }) => sum + ends[how], 0);
  return [
    `seed ${seed}`,
    `rounds ${rounds}`,
    `faults ${counts.join(', ')}`,
    `steps died at ${[...faults.hit].filter(isKillPoint).length}/${KILL_POINTS.length}`,
    `ends killed ${ended('killed')}, fenced ${ended('fenced')}, unstarted ${ended('unstarted')}`,
    `requests accepted ${ledger.count('accepted')}, refused ${ledger.count('refused')}, in doubt at first ${doubts}`,
    `start median ${seconds(median(members.flatMap(({ startsMs }) => startsMs)))}`,
    `recovery median ${seconds(median(recoveriesMs))}, max ${seconds(Math.max(0, ...recoveriesMs))}`,
    `RSS × ${growth.toFixed(2)}`,
  ].join('; ');
}

/** 0: of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
