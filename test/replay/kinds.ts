import { limitChecks } from './quota/limit-check.js';
import { overErrors } from './quota/over-error.js';
import { sequences } from './quota/sequence.js';
import { setUpdates } from './quota/set-update.js';
import type { Replay } from './replay.js';
import { accounting } from './scheduler/accounting.js';
import { decisions } from './scheduler/decisions.js';
import { evaluator } from './scheduler/evaluator.js';
import * as filters from './scheduler/filters.js';
import { placement } from './scheduler/placement.js';
import { retry } from './scheduler/retry.js';
import { getPools } from './scheduler/get-pools.js';
import { goodness, stochasticHandler, weighers } from './scheduler/weighers.js';

const ALL: readonly Replay[] = [
  accounting,
  decisions,
  evaluator,
  ...Object.values(filters),
  getPools,
  limitChecks,
  overErrors,
  goodness,
  placement,
  retry,
  sequences,
  setUpdates,
  stochasticHandler,
  weighers,
];

/** How each kind of recorded cases is played, by the `kind` of the file. */
export const REPLAYS: ReadonlyMap<string, Replay> = new Map(ALL.map((replay) => [replay.kind, replay]));
