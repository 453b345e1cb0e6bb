import type { ReceiverOptions } from '../casts/receiver.js';
import type { SenderOptions } from '../casts/sender.js';
import { countUnfinished, oldestUnfinished } from '../db/worker-search.js';
import { oldestSettlementMs } from '../db/quota-settlements.js';
import type { Store } from '../db/store.js';
import type { VolumeEvents } from '../events/watch.js';
import type { Run } from '../flow/flow.js';
import type { FlowListener } from '../flow/listeners.js';
import type { CheckParts } from '../quota/check.js';
import type { QuotaParts } from '../quota/quota.js';
import type { RebuildParts } from '../quota/rebuild.js';
import type { RecoveryParts } from '../quota/recovery.js';
import type { RedisConnectionOptions } from '../redis/connect.js';
import { backendOf } from '../objects/backend-name.js';
import type { Log } from '../log/log.js';
import { sparingly } from '../log/sparingly.js';
import type { ClaimCall, ClaimObserver, Claims } from '../scheduler/claims.js';
import type { DecisionObserver } from '../scheduler/filter-scheduler.js';
import type { OddPools } from '../scheduler/odd-pools.js';
import type { Pools } from '../scheduler/pools.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { Tracer } from '../telemetry/tracer.js';
import type { OrphanSweepOptions, Swept } from '../volume/orphan-sweep.js';
import { traceSends, traceWork } from './traces.js';

// Engines know no metrics: they tell observers, and these count.

/** Counts flows by their ending, and what was undone. */
export function flowMetrics({ work }: Metrics): FlowListener {
  const begun = new WeakMap<Run, number>();
  return (run, transition) => {
    const { flow } = run;
    if (transition.kind === 'flow') {
      if (transition.state === 'RUNNING') {
        begun.set(run, performance.now());
        return;
      }
      work.flows.with(flow, transition.state.toLowerCase()).inc();
      work.flowSeconds.with(flow).observe(secondsSince(begun.get(run)));
      return;
    }
    const { task, state } = transition;
    if (state === 'FAILURE') work.taskFailures.with(flow, task).inc();
    if (state === 'REVERTED') work.taskReverts.with(flow, task, 'reverted').inc();
    if (state === 'REVERT_FAILURE') work.taskReverts.with(flow, task, 'failed').inc();
  };
}

/** Counts what is sent. */
export function senderMetrics(
  { work }: Metrics,
  tracer: Tracer | undefined,
): Required<Pick<SenderOptions, 'begin' | 'onGivenUp'>> {
  const trace = tracer && traceSends(tracer);
  return {
    begin(cast) {
      const { binary, method } = cast.message;
      const span = trace?.(cast);
      return {
        traceparent: span?.traceparent ?? cast.context.traceparent,
        ended(how) {
          span?.ended(how);
          work.castsSent.with(binary, method, how).inc();
        },
      };
    },
    onGivenUp: ({ message: { binary, method } }) => work.castsGivenUp.with(binary, method).inc(),
  };
}

/** Counts what one service receives and does. */
export function receiverMetrics(
  { work }: Metrics,
  binary: ReceiverOptions['binary'],
  tracer: Tracer | undefined,
): Required<Pick<ReceiverOptions, 'begin' | 'onReceived'>> {
  const trace = tracer && traceWork(tracer, binary);
  return {
    onReceived: (method, outcome) => work.castsReceived.with(binary, method, outcome).inc(),
    begin(claim) {
      const { method, resumed, context } = claim;
      const span = trace?.(claim);
      if (resumed) work.castsTakenOver.with(binary, method).inc();
      const begun = performance.now();
      return {
        traceparent: span?.traceparent ?? context.traceparent,
        ended(how, error) {
          span?.ended(how, error);
          work.work.with(binary, method, how).inc();
          work.workSeconds.with(binary, method).observe(secondsSince(begun));
        },
      };
    },
  };
}

/** Counts the answers of quota, and what had to be mended. */
export function quotaObservers({ quota }: Metrics): {
  readonly redis: Required<Pick<RedisConnectionOptions, 'onCall'>>;
  readonly quota: Required<Pick<QuotaParts, 'onAnswer' | 'onAlarm'>>;
  readonly rebuild: Required<Pick<RebuildParts, 'onRebuild'>>;
  readonly recovery: Required<Pick<RecoveryParts, 'onRow'>>;
  readonly check: Required<Pick<CheckParts, 'onChecked'>>;
} {
  // a series that is there from the start: an increase of it is seen the first time
  for (const alarm of ['clamped', 'corrupt']) quota.alarms.with(alarm);
  for (const outcome of ['right', 'mended', 'failed']) quota.checks.with('reconciler', outcome);
  return {
    redis: {
      onCall(script, outcome, elapsedMs) {
        const name = script.replace(/\.lua$/, '');
        if (outcome === 'ok') quota.redisSeconds.with(name).observe(elapsedMs / 1_000);
        else quota.redisFailures.with(name, outcome).inc();
      },
    },
    quota: {
      onAnswer: (operation, answer) => quota.answers.with(operation, answer).inc(),
      onAlarm: (alarm) => quota.alarms.with(alarm).inc(),
    },
    rebuild: {
      onRebuild(reason, outcome, elapsedMs) {
        quota.rebuilds.with(reason, outcome).inc();
        quota.rebuildSeconds.with().observe(elapsedMs / 1_000);
      },
    },
    check: { onChecked: (by, outcome) => quota.checks.with(by, outcome).inc() },
    recovery: { onRow: ({ kind, state }, outcome) => quota.recovered.with(kind, state, outcome).inc() },
  };
}

/** Counts decisions and what each filter did. */
export function decisionMetrics({ scheduler }: Metrics): DecisionObserver {
  const seconds = scheduler.decisionSeconds.with();
  return {
    decided(outcome, elapsedMs) {
      scheduler.decisions.with(outcome).inc();
      seconds.observe(elapsedMs / 1_000);
    },
    filtered(filter, seenCount, rejectedCount) {
      scheduler.filterSeen.with(filter).inc(seenCount);
      scheduler.filterRejected.with(filter).inc(rejectedCount);
    },
  };
}

/** Counts what becomes of claims; that Redis does not answer is said in the log too, of each call now and then. */
export function claimMetrics({ scheduler }: Metrics, log: Pick<Log, 'warn'>): ClaimObserver {
  const warning = (what: ClaimCall) =>
    sparingly((count: number, error: unknown) =>
      log.warn('capacity claims: no answer from Redis', { what, count, error }),
    );
  const warnings = {
    claim: warning('claim'),
    release: warning('release'),
    fold: warning('fold'),
    outstanding: warning('outstanding'),
    list: warning('list'),
    recount: warning('recount'),
  };
  return {
    claimed: (answer) => scheduler.claims.with(answer).inc(),
    ended: (how, count) => scheduler.claimsEnded.with(how).inc(count),
    failed: (what, error) => warnings[what](error),
  };
}

/** Backends whose claims are read for a scrape; of more it is said how many are left out. */
const MOST_BACKENDS_READ = 256;

/** Reads what is claimed of the backends that a scheduler knows. */
export function claimReadings(
  { scheduler }: Metrics,
  claims: Pick<Claims, 'outstanding'>,
  pools: Pick<Pools, 'list'>,
): void {
  const backends = () => [...new Set(pools.list().map(({ backendId }) => backendOf(backendId)))];
  let reading: ReturnType<typeof claims.outstanding> | undefined;
  // both series of a scrape are of one reading
  const read = () =>
    (reading ??= claims.outstanding(backends().slice(0, MOST_BACKENDS_READ)).finally(() => (reading = undefined)));
  scheduler.claimsOutstanding.from(async () => {
    const found = await read();
    return found ? [[found.count]] : [];
  });
  scheduler.claimedGib.from(async () => {
    const found = await read();
    return found ? [[found.gib]] : [];
  });
  scheduler.claimsUnread.from(() => [[Math.max(0, backends().length - MOST_BACKENDS_READ)]]);
}

/** Reads what watches and their readers look like. */
export function watchMetrics({ storage }: Metrics, events: VolumeEvents): void {
  storage.watches.from(() => [[events.load.watches]]);
  storage.watchBuffer.from(() => [[events.load.fullest]]);
  storage.eventsLag.from(async () => {
    const lagMs = await events.lagMs();
    return lagMs === undefined ? [] : [[lagMs / 1_000]];
  });
}

/** Counts what is put away, and reads what the last sweep saw. */
export function orphanMetrics({ storage }: Metrics, seen: () => Swept): Required<Pick<OrphanSweepOptions, 'onSwept'>> {
  storage.problems.from(() => Object.entries(seen().problems).map(([kind, count]) => [count, kind] as const));
  storage.quarantined.from(() => [[seen().quarantined]]);
  for (const what of ['quarantined', 'removed']) storage.orphans.with(what); // an increase is seen the first time
  return { onSwept: (what) => storage.orphans.with(what).inc() };
}

/** Reads what a scheduler knows of the backends. */
export function schedulerReadings({ scheduler }: Metrics, pools: Pools, oddPools: OddPools, now: () => number): void {
  scheduler.pools.from(() => [[pools.list().length]]);
  scheduler.silentBackends.from(() => [[pools.silentBackends.size]]);
  scheduler.oddPools.from(() => [...oddPools.counts()].map(([kind, count]) => [count, kind] as const));
  scheduler.oldestReport.from(() => {
    const at = pools.oldestReportAt;
    return at === undefined ? [] : [[Math.max(0, now() - at) / 1_000]];
  });
}

const BINARIES = ['cinder-scheduler', 'cinder-volume'] as const;

/** Reads from the records, when somebody scrapes, what is left to do. Nothing old says 0, so that alerts have a series. */
export function readRecords({ work, quota }: Metrics, store: Store): void {
  work.unfinished.from(async () =>
    (await countUnfinished(store)).map(({ binary, state, count }) => [count, binary, state]),
  );
  work.oldestUnfinished.from(async () => {
    const rows = await oldestUnfinished(store);
    const idle = BINARIES.filter((name) => !rows.some(({ binary }) => binary === name));
    return [
      ...rows.map(({ binary, status, ageMs }) => [Math.max(0, ageMs) / 1_000, binary, status] as const),
      ...idle.map((binary) => [0, binary, ''] as const),
    ];
  });
  quota.oldestSettlement.from(async () => [[(await oldestSettlementMs(store)) / 1_000]]);
}

function secondsSince(begunMs = performance.now()): number {
  return (performance.now() - begunMs) / 1_000;
}
