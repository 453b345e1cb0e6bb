import { connect, type CinderClient } from '#src/client/index.js';
import type { Lifetime } from '../../support/lifetime.js';
import { seeded } from '../../support/seeded.js';
import { Estate, SERVICE_DOWN_TIME_MS } from './estate.js';
import { Faults } from './faults.js';
import { figuresOf, median, seconds } from './figures.js';
import { type EstateFootprint, footprintOf } from './footprint.js';
import { overgrown } from './growth.js';
import { violations } from './invariants.js';
import { KILL_POINTS, nameOf } from './kill-points.js';
import { Load } from './load.js';
import { type Round, schedule } from './schedule.js';

/** Within it everything is as it should be, from the restart of what was last killed on. */
const RECOVERY_LIMIT_MS = 2 * SERVICE_DOWN_TIME_MS;
/**
 * A process serves within a second. Where it takes longer than this, ms, the machine has other things to do, and is given as
 * many times longer for everything.
 */
const CALM_START_MS = 3_000;
/** After it what is not as it should be never will be. */
const STUCK_AFTER_MS = 40_000;
/** As many times as long as it was asked to, a run waits for the steps at which nobody has died. */
const MOST_TIMES = 3;
const LOOK_EVERY_MS = 100;
/** Calls that bring every process to the size that it has at work. */
const WARM_UP_CALLS = 800;

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly say: (line: string) => void;
}

/** What a run has seen. */
export interface ChaosReport {
  /** Sentences; none: everything held. */
  readonly problems: readonly string[];
  /** One line of figures. */
  readonly figures: string;
  /** What each process has written. */
  readonly logs: ReadonlyMap<string, string>;
}

/** Disturbs an estate at work for so many minutes, round by round, and looks after each whether everything holds. */
export async function chaos(t: Lifetime, options: ChaosOptions): Promise<ChaosReport> {
  const estate = await Estate.start(t);
  const run = new Run(t, estate, options);
  try {
    await run.everything();
  } catch (error) {
    run.broke(error);
  }
  await estate.end();
  return run.report();
}

class Run {
  readonly #estate: Estate;
  readonly #options: ChaosOptions;
  readonly #admin: CinderClient;
  readonly #load: Load;
  readonly #faults: Faults;
  readonly #problems: string[] = [];
  readonly #recoveriesMs: number[] = [];
  #rounds = 0;
  #growth = 0;
  #doubts = 0;
  /** What was seen before everything was as it should be. */
  #lastProblem = '';

  constructor(t: Lifetime, estate: Estate, options: ChaosOptions) {
    this.#estate = estate;
    this.#options = options;
    this.#admin = connect({ address: estate.address, project: 'admin', roles: ['admin'], timeoutMs: 20_000 });
    t.teardown(() => this.#admin.close());
    this.#load = new Load(t, { address: estate.address, random: seeded(options.seed) });
    this.#faults = new Faults(estate);
  }

  async everything(): Promise<void> {
    const { seed, minutes } = this.#options;
    const before = await this.#warmUp();
    const begun = performance.now();
    const isOver = (times: number): boolean => performance.now() - begun >= times * minutes * 60_000;
    for (const round of schedule(seed)) {
      // a slow machine is given more time for what must be seen in any case
      if (this.#problems.length > 0 || isOver(this.#missing.length === 0 ? 1 : MOST_TIMES)) break;
      await this.#round(round, before);
    }
    if (this.#problems.length > 0 || this.#missing.length === 0) return;
    this.#problems.push(`nobody died at ${this.#missing.join(', ')}`);
  }

  /** Steps at which nobody has died yet. */
  get #missing(): readonly string[] {
    return KILL_POINTS.map(nameOf).filter((name) => !this.#faults.hit.has(name));
  }

  /** The run itself could not go on. */
  broke(error: unknown): void {
    this.#problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  report(): ChaosReport {
    const { members } = this.#estate;
    return {
      problems: this.#problems,
      figures: figuresOf({
        ...{ seed: this.#options.seed, rounds: this.#rounds, faults: this.#faults, members },
        ...{ ledger: this.#load.ledger, doubts: this.#doubts, recoveriesMs: this.#recoveriesMs, growth: this.#growth },
      }),
      logs: new Map(members.map((member) => [member.name, member.log()])),
    };
  }

  /** What everything holds when it is at work and nothing was done to it yet. */
  async #warmUp(): Promise<EstateFootprint> {
    await this.#load.prepare(this.#admin);
    this.#load.start();
    while (this.#load.answered < WARM_UP_CALLS) await pauseMs(LOOK_EVERY_MS);
    await this.#load.stop();
    const [problem] = await this.#untilTrue(performance.now());
    if (problem !== undefined) throw new Error(`before anything was done to it: ${problem}`);
    return this.#footprint();
  }

  async #round(round: Round, before: EstateFootprint): Promise<void> {
    const { say } = this.#options;
    this.#rounds += 1;
    this.#load.start();
    await this.#faults.run(round);
    await this.#allServe();
    const healedAt = performance.now();
    await this.#load.stop();
    const since = performance.now();
    const recoveredMs = await this.#recover(since);
    const doubts = this.#load.ledger.count('in doubt');
    this.#doubts += doubts;
    await this.#load.settleDoubts();
    if (this.#load.ledger.count('in doubt') > 0) {
      const still = this.#load.ledger.creations.filter(
        ({ ending, deletion }) => ending === 'in doubt' || deletion === 'in doubt',
      );
      this.#problems.push(...still.map(({ name, why }) => `${name}, repeated with its key, is in doubt again: ${why}`));
    }
    await this.#recover(performance.now());
    const { problems, rss } = await this.#overgrown(before);
    this.#growth = Math.max(this.#growth, rss);
    this.#problems.push(...problems, ...this.#load.ledger.oddities.splice(0));
    for (const { accidents } of this.#estate.members) this.#problems.push(...accidents.splice(0));
    say(
      `round ${this.#rounds}: ${round.faults.map(({ kind }) => kind).join(' ')}; drained in ${seconds(since - healedAt)}, ` +
        `recovered in ${seconds(recoveredMs)}, ${doubts} in doubt, ${this.#missing.length} steps to go${this.#problems.map((each) => `\n  ${each}`).join('')}`,
    );
  }

  /** What is only on its way, such as a connection that is being closed, is given a moment. */
  async #overgrown(before: EstateFootprint): Promise<ReturnType<typeof overgrown>> {
    const until = performance.now() + RECOVERY_LIMIT_MS;
    for (;;) {
      const found = overgrown(before, await this.#footprint());
      if (found.problems.length === 0 || performance.now() > until) return found;
      await pauseMs(LOOK_EVERY_MS);
    }
  }

  /** Of processes that all serve: one may end just now, because it noticed late that it must. */
  async #footprint(): Promise<EstateFootprint> {
    const until = performance.now() + STUCK_AFTER_MS;
    for (;;) {
      await this.#allServe();
      try {
        return await footprintOf(this.#estate);
      } catch (error) {
        if (performance.now() > until) throw error;
      }
    }
  }

  /** How long a process takes to start, as a rule. */
  get #startMs(): number {
    return median(this.#estate.members.flatMap(({ startsMs }) => startsMs));
  }

  async #allServe(): Promise<void> {
    await Promise.all(this.#estate.members.map((member) => member.serving()));
  }

  async #recover(since: number): Promise<number> {
    const problems = await this.#untilTrue(since);
    // one that noticed late that it must not go on was started again meanwhile
    const last = Math.max(since, ...this.#estate.members.map(({ servingSince }) => servingSince));
    const tookMs = performance.now() - last;
    this.#recoveriesMs.push(tookMs);
    this.#problems.push(...problems);
    if (problems.length === 0 && tookMs > RECOVERY_LIMIT_MS * Math.max(1, this.#startMs / CALM_START_MS))
      this.#problems.push(`it took ${seconds(tookMs)} until everything was as it should be: ${this.#lastProblem}`);
    return tookMs;
  }

  /** Looks until everything is as it should be; what is not so long after says so. */
  async #untilTrue(since: number): Promise<readonly string[]> {
    for (;;) {
      const found = await violations(this.#estate, this.#admin, this.#load.ledger).catch((error: unknown) => [
        `it cannot be looked at: ${String(error)}`,
      ]);
      if (found.length === 0 || performance.now() - since > STUCK_AFTER_MS) return found;
      this.#lastProblem = found.join('; ');
      await pauseMs(LOOK_EVERY_MS);
    }
  }
}

function pauseMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
