import { seeded } from '../../support/seeded.js';
import { KILL_POINTS, type KillPoint } from './kill-points.js';

/** One side of a member: its way to the database or to Redis, or the way of others to it. */
export type Side = 'sql' | 'redis' | 'calls';

/** What is done to the estate at a time. `member`: the 0th or 1st of its service. */
export type FaultKind =
  | { readonly kind: 'point'; readonly point: KillPoint; readonly signal: 'SIGKILL' | 'SIGSTOP' }
  | { readonly kind: 'kill' }
  | { readonly kind: 'freeze'; readonly forMs: number }
  | { readonly kind: 'cut'; readonly side: Side }
  | { readonly kind: 'delay'; readonly side: Side; readonly delayMs: number; readonly forMs: number }
  | { readonly kind: 'hold'; readonly side: Side; readonly forMs: number }
  | { readonly kind: 'redis'; readonly forMs: number }
  | { readonly kind: 'postgres'; readonly how: 'crash' | 'stop'; readonly forMs: number };

export type PlannedFault = FaultKind & {
  /** Since the round's beginning. */
  readonly atMs: number;
  readonly service: KillPoint['service'];
  readonly member: 0 | 1;
};

export interface Round {
  readonly faults: readonly PlannedFault[];
  /** For how long clients are at work, at least. */
  readonly loadMs: number;
}

const SERVICES = ['api', 'scheduler', 'volume'] as const;
const SIDES = ['sql', 'redis', 'calls'] as const;
const POINTS_PER_ROUND = 10;
const ROUND_MS = 4_000;
/** Longer than `service_down_time`: whoever stands still for so long is fenced. */
const FREEZE_MS = [3_500, 5_000] as const;

/**
 * Rounds without an end, the same for the same seed: each has kill points, so that all were there after some rounds and then
 * again and again, and faults of other kinds at any time.
 */
export function* schedule(seed: number): Generator<Round, never> {
  const random = seeded(seed);
  let points: KillPoint[] = [];
  let [isFirstCycle, count] = [true, 0];
  for (;;) {
    const faults: PlannedFault[] = [];
    const at = (): number => random.between(0, ROUND_MS);
    const member = (): 0 | 1 => (random.next() < 0.5 ? 0 : 1);
    for (let nth = 0; nth < POINTS_PER_ROUND; nth += 1) {
      if (points.length === 0) {
        isFirstCycle = count === 0;
        points = random.shuffled(KILL_POINTS);
      }
      const point = points.pop();
      if (!point) break;
      count += 1;
      // each is a death first; later now and then a long sleep, from which a zombie wakes
      const signal = !isFirstCycle && random.next() < 0.3 ? 'SIGSTOP' : 'SIGKILL';
      // by turns: what a member waits for comes one after the other
      faults.push({ kind: 'point', atMs: at(), service: point.service, member: nth % 2 === 0 ? 0 : 1, point, signal });
    }
    const others = random.between(1, 3);
    for (let nth = 0; nth < others; nth += 1) {
      faults.push({ ...faultOf(random), atMs: at(), service: random.pick(SERVICES), member: member() });
    }
    yield { faults: faults.toSorted((a, b) => a.atMs - b.atMs), loadMs: ROUND_MS };
  }
}

function faultOf(random: ReturnType<typeof seeded>): FaultKind {
  const forMs = random.between(200, 2_500);
  const side = random.pick(SIDES);
  const kinds: readonly FaultKind[] = [
    { kind: 'kill' },
    { kind: 'freeze', forMs: random.between(...FREEZE_MS) },
    { kind: 'cut', side },
    { kind: 'delay', side, delayMs: random.between(20, 400), forMs },
    { kind: 'hold', side, forMs },
    { kind: 'redis', forMs: random.between(0, 1_500) },
    { kind: 'postgres', how: random.pick(['crash', 'stop']), forMs: random.between(0, 1_500) },
  ];
  return random.pick(kinds);
}
