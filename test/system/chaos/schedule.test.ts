import test from 'ava';
import { KILL_POINTS, nameOf } from './kill-points.js';
import { type Round, schedule } from './schedule.js';

function first(count: number, seed: number): readonly Round[] {
  const rounds: Round[] = [];
  for (const round of schedule(seed)) {
    if (rounds.length === count) break;
    rounds.push(round);
  }
  return rounds;
}

test('a seed repeats its schedule of faults, and another seed has another', (t) => {
  t.deepEqual(first(30, 7), first(30, 7));
  t.notDeepEqual(first(30, 7), first(30, 8));
});

test('whatever the seed, the first rounds kill at every step once, and later ones at every step again', (t) => {
  for (let seed = 0; seed < 50; seed += 1) {
    const points = first(8, seed).flatMap(({ faults }) =>
      faults.flatMap((fault) => (fault.kind === 'point' ? [fault] : [])),
    );
    // in a round they are in the order of time
    const names = new Set(first(4, seed).flatMap(({ faults }) => faults.flatMap(named)));
    t.is(names.size, KILL_POINTS.length);
    t.is(points.length, 80);
  }
});

test('each kind of fault comes, to each service, within minutes', (t) => {
  const faults = first(100, 1).flatMap((round) => round.faults);
  const kinds = new Set(faults.map(({ kind }) => kind));
  t.deepEqual([...kinds].toSorted(), ['cut', 'delay', 'freeze', 'hold', 'kill', 'point', 'postgres', 'redis']);
  for (const kind of ['cut', 'freeze', 'hold', 'kill', 'point'] as const) {
    const hit = new Set(
      faults.filter((fault) => fault.kind === kind).map(({ service, member }) => `${service}${member}`),
    );
    t.is(hit.size, 6, kind);
  }
});

function named(fault: Round['faults'][number]): readonly string[] {
  return fault.kind === 'point' ? [nameOf(fault.point)] : [];
}
