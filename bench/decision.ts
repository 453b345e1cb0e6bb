import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RequestSpec } from '#src/objects/request-spec.js';
import { requestSpecToWire } from '#src/rpc/objects-on-the-wire.js';
import { explainPlacement } from '#src/scheduler/handlers/explain-placement.js';
import { NO_SURROUNDINGS } from '#src/scheduler/placement-request.js';
import { ReportParts } from '#src/scheduler/report-parts.js';
import type { Bench } from './bench.js';
import { Estate } from './support/estate.js';
import { figure, percentile, show } from './support/figures.js';

const REPEATS = 5;
const DECISIONS = 1_000;
const EXPLANATIONS = 100;
const DECISIONS_A_REPORT = 100;
/** As capacity claims ask for: what is next when one is lost. */
const SPARES = 8;
const CHUNK = 500;
const CHUNKS = 20;
const SOAK = { pools: 1_000, perSecond: 1_000, seconds: 10, reportsPerSecond: 10 };

/** One decision, from the request to the pool whose room is taken; and what pools and their reports cost. */
export const decision: Bench = {
  name: 'decision',
  about: 'a placement among 1,000 and 10,000 pools, explained ones, memory a pool, reports, and 1,000 decisions/s',

  async run(report) {
    decideMany(new Estate(100), DECISIONS); // what code takes is no pool's memory
    await among(1_000, 0.05, report);
    await among(10_000, 0.3, report);
    await soak(report);
  },
};

async function among(poolCount: number, atMostMs: number, report: Parameters<Bench['run']>[0]): Promise<void> {
  const say = (what: string, values: readonly number[], digits = 3): void =>
    report(`${poolCount.toLocaleString('en-US')} pools: ${what}`, figure(values), show(figure(values), digits));
  const before = liveBytes();
  const estate = new Estate(poolCount);
  decideMany(estate, DECISIONS);
  const bytesAPool = (liveBytes() - before) / poolCount;

  const [floors, medians, tails, explanations]: [number[], number[], number[], number[]] = [[], [], [], []];
  await explainMany(estate, EXPLANATIONS);
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    floors.push(percentile(passOften(estate, DECISIONS), 0.5));
    const taken = decideMany(estate, DECISIONS);
    medians.push(percentile(taken, 0.5));
    tails.push(percentile(taken, 0.99));
    explanations.push(percentile(await explainMany(estate, EXPLANATIONS), 0.5));
  }
  say(`a decision, p50 (ms, at most ${atMostMs})`, medians);
  say('a decision, p99 (ms)', tails);
  say('floor: one bare pass over the pools (ms)', floors);
  say('explained, p50 (ms)', explanations);
  say(
    'explained ÷ decision (at most 5)',
    explanations.map((ms, index) => ms / (medians[index] ?? NaN)),
    1,
  );
  say('memory a pool, after decisions of 60 types (bytes, at most 2,048)', [bytesAPool], 0);
  say(`a report of ${CHUNK} pools taken in (ms, at most 5)`, takeIn(estate), 2);
}

/** Each one's time, ms. */
function decideMany(estate: Estate, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    if (index % DECISIONS_A_REPORT === 0) estate.pools.report(estate.report());
    const spec = estate.request();
    return timed(() => decide(estate, spec));
  });
}

function decide({ scheduler }: Estate, spec: RequestSpec): void {
  const choice = scheduler.choose(scheduler.begin(spec, { schedulerHints: new Map() }), new Set(), SPARES);
  if ('refusal' in choice) throw new Error('the estate is full');
}

/** As an administrator asks for it, from the message to the answer with 100 pools of each kind; each one's time, ms. */
async function explainMany(estate: Estate, count: number): Promise<number[]> {
  const explain = explainPlacement({ scheduler: estate.scheduler, lookUp: () => NO_SURROUNDINGS });
  const call = { signal: AbortSignal.abort() } as unknown as Parameters<typeof explain>[1]; // nothing of it is read
  const taken: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const request = { requestSpec: requestSpecToWire(estate.request()), filterProperties: undefined, limit: 0 };
    const begun = performance.now();
    await explain(request, call);
    taken.push(performance.now() - begun);
  }
  return taken;
}

/** What nothing that looks at every pool can be faster than. */
function passOften({ pools }: Estate, count: number): number[] {
  const list = pools.list();
  let most = 0;
  return Array.from({ length: count }, () =>
    timed(() => {
      for (const { freeCapacityGb } of list) if ((freeCapacityGb as number) > most) most = freeCapacityGb as number;
    }),
  );
}

/** Decoded reports of one backend that grows to 500 pools, each until its pools can be chosen; times in ms. */
function takeIn(estate: Estate): number[] {
  const parts = new ReportParts({ maxAgeMs: 60_000, maxUnfinished: 10, now: () => 0 });
  return Array.from({ length: CHUNKS }, () => {
    const part = { ...estate.reportOf(0, CHUNK), reportId: '', part: 0, partCount: 1 };
    return timed(() => {
      const whole = parts.add(part);
      if (whole) estate.pools.report(whole);
      estate.pools.list();
    });
  });
}

/** Decisions at a steady rate while reports arrive: each one's time, and how long the event loop kept others waiting. */
async function soak(report: Parameters<Bench['run']>[0]): Promise<void> {
  const estate = new Estate(SOAK.pools);
  decideMany(estate, DECISIONS);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const taken: number[] = [];
  let reports = 0;
  delay.enable();
  const begun = performance.now();
  for (let passed = 0; passed < SOAK.seconds; passed = (performance.now() - begun) / 1_000) {
    while (reports < passed * SOAK.reportsPerSecond) reports += Number(estate.pools.report(estate.report()));
    while (taken.length < passed * SOAK.perSecond) {
      const spec = estate.request();
      taken.push(timed(() => decide(estate, spec)));
    }
    await pause(1);
  }
  delay.disable();
  const rate = taken.length / ((performance.now() - begun) / 1_000);
  const say = (what: string, value: number, digits: number): void =>
    report(
      `${SOAK.pools} pools, ${SOAK.seconds} s of reports: ${what}`,
      figure([value]),
      show(figure([value]), digits),
    );
  say(`decisions/s (${SOAK.perSecond} asked)`, rate, 0);
  say('a decision, p50 (ms)', percentile(taken, 0.5), 3);
  say('a decision, p99 (ms)', percentile(taken, 0.99), 3);
  say('share of the processor (%)', (taken.reduce((sum, ms) => sum + ms, 0) / SOAK.seconds / 1_000) * 100, 1);
  say('event loop delay, p50 (ms; an idle one has 1)', delay.percentile(50) / 1e6, 2);
  say('event loop delay, p99 (ms)', delay.percentile(99) / 1e6, 2);
}

function timed(work: () => void): number {
  const begun = performance.now();
  work();
  return performance.now() - begun;
}

/** Memory that is in use after everything unused was collected. */
function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
