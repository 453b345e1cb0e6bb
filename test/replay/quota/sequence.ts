import type { Replay } from '../replay.js';
import { differing, eachOn, type Parts } from './parts.js';
import { Player, type Op, type Step } from './player.js';
import type { QuotaCase, State } from './state.js';
import { World } from './world.js';

type Sequence = QuotaCase<State & { readonly ops: readonly Op[] }, { readonly steps: readonly Step[] }>;

/** Sequences of operations, each with its answer and the usage after it. */
export const sequences: Replay = {
  kind: 'quota_sequence',
  failing: (cases) =>
    eachOn(
      (cases as readonly Sequence[]).filter((one) => !isLeftOut(one)),
      play,
    ),
  exceptions(cases) {
    const [leftOut, played] = [[], []] as [Sequence[], Sequence[]];
    for (const one of cases as readonly Sequence[]) (isLeftOut(one) ? leftOut : played).push(one);
    const inPart = played.filter((one) => endOf(one) < one.input.ops.length);
    const idsOf = (those: readonly Sequence[]) => those.map(({ id }) => id);
    return [
      { what: 'left out', why: 'until_refresh and max_age: a reconciler is in their place', ids: idsOf(leftOut) },
      { what: 'played in part', why: 'up to where we mean otherwise', ids: idsOf(inPart) },
    ];
  },
};

function isLeftOut({ features = [] }: Sequence): boolean {
  return features.includes('until_refresh') || features.includes('max_age');
}

/** Where only Cinder's silence differs from our words: the figures stay the same. */
const SAME_FIGURES: readonly string[] = [
  'settled-twice',
  'unknown-reservation',
  'foreign-project',
  'rollback-after-expiry',
];

/** What Cinder takes and the product refuses, with its error: nothing is reserved. */
const REFUSED: Readonly<Record<string, string>> = {
  'ttl-not-positive': 'InvalidReservationExpiration',
  'empty-deltas': 'InvalidInput',
};

/** How many of its operations a case is played for. */
function endOf({ differs = '', differs_at: at = [], input, expect }: Sequence): number {
  const whole = input.ops.length;
  if (SAME_FIGURES.includes(differs)) return whole;
  if (differs === 'commit-after-expiry') {
    const counted = at.find((i) => expect.steps[i]?.live_before);
    return counted === undefined ? whole : counted + 1;
  }
  const [first = whole] = at;
  return differs === 'expired-unswept' || differs in REFUSED ? Math.min(first + 1, whole) : first;
}

async function play(parts: Parts, one: Sequence): Promise<readonly string[]> {
  const { input, expect, differs = '', differs_at: at = [] } = one;
  const player = new Player(await World.of(parts, input), input);
  for (const [i, op] of input.ops.slice(0, endOf(one)).entries()) {
    const wanted = expect.steps[i] ?? { outcome: '' };
    const came = await player.play(op, wanted);
    const wrong = at.includes(i) ? await asWeMean(differs, player, wanted, came) : differing(wanted, came);
    if (wrong.length > 0) return [`op ${i} ${JSON.stringify(op)}`, ...wrong];
  }
  return [];
}

/** What the product does at a step at which Cinder's silence, or Cinder's figures, are not ours. */
async function asWeMean(differs: string, player: Player, wanted: Step, came: Step): Promise<readonly string[]> {
  const { word } = player;
  switch (differs) {
    case 'commit-after-expiry': {
      if (wanted.live_before) return [...differing('expired', word), ...(await player.holdsNothingExpired())];
      return [...differing(wanted, came), ...differing(true, ['expired', 'unknown'].includes(word))];
    }
    case 'rollback-after-expiry':
      return [...differing(wanted.usage, came.usage), ...differing(true, ['expired', 'unknown'].includes(word))];
    case 'settled-twice':
      return [...differing(wanted, came), ...differing(true, ['committed', 'rolledback'].includes(word))];
    case 'unknown-reservation':
    case 'foreign-project':
      return [...differing(wanted, came), ...differing('unknown', word)];
    default: {
      const error = differs in REFUSED ? differing(REFUSED[differs], came.error) : [];
      return [...error, ...(await player.holdsNothingExpired())];
    }
  }
}
