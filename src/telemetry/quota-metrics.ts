import type { Registry } from 'prom-client';
import { Counter, Histogram, LONG_S, Readings, SHORT_S } from './series.js';

/** Quota: what was decided, what had to be mended, and the Redis behind it. */
export function quotaMetrics(registry: Registry) {
  return {
    answers: new Counter(
      {
        name: 'cinder_quota_answers_total',
        help: 'Answers of quota: reserve says reserved or over; commit says committed, expired, …; no_answer is in doubt.',
        labels: ['operation', 'answer'],
      },
      registry,
    ),
    alarms: new Counter(
      {
        name: 'cinder_quota_alarms_total',
        help: 'Sums that would have become negative (clamped) and keys that were not ours any more (corrupt): always a bug.',
        labels: ['alarm'],
      },
      registry,
    ),
    rebuilds: new Counter(
      {
        name: 'cinder_quota_rebuilds_total',
        help: 'Projects whose usage was rebuilt from the records, after Redis lost it or did not know a reservation.',
        labels: ['reason', 'outcome'],
      },
      registry,
    ),
    rebuildSeconds: new Histogram(
      { name: 'cinder_quota_rebuild_seconds', help: 'How long a rebuild kept decisions of a project waiting.' },
      SHORT_S,
      registry,
    ),
    recovered: new Counter(
      {
        name: 'cinder_quota_recovered_total',
        help: 'Settlements that crashed or hurried flows left behind, by what recovery did.',
        labels: ['kind', 'state', 'outcome'],
      },
      registry,
    ),
    checks: new Counter(
      {
        name: 'cinder_quota_checks_total',
        help: 'Projects compared with their records, by who did it: right, unloaded (nothing in Redis to be wrong), different (only looked at), mended, failed.',
        labels: ['by', 'outcome'],
      },
      registry,
    ),
    oldestSettlement: new Readings(
      {
        name: 'cinder_oldest_settlement_seconds',
        help: 'Age of the oldest settlement between the records and Redis, holds aside; of the whole installation.',
      },
      registry,
    ),
    redisUp: new Readings({ name: 'cinder_redis_up', help: '1 while there is a Redis and it may be used.' }, registry),
    redisSeconds: new Histogram(
      { name: 'cinder_redis_script_seconds', help: 'Round trips of scripts that were answered.', labels: ['script'] },
      SHORT_S,
      registry,
    ),
    redisFailures: new Counter(
      {
        name: 'cinder_redis_script_failures_total',
        help: 'Scripts without an answer: again (repeated), no_answer (deadline), error.',
        labels: ['script', 'reason'],
      },
      registry,
    ),
  };
}

/** The database, the drivers and the watches. */
export function storageMetrics(registry: Registry) {
  const driver = ['driver', 'operation'] as const;
  return {
    sqlSeconds: new Histogram(
      {
        name: 'cinder_sql_seconds',
        help: 'How long write units (write) and queries (read) took, waiting for their turn included.',
        labels: ['operation'],
      },
      SHORT_S,
      registry,
    ),
    sqlFailures: new Counter(
      {
        name: 'cinder_sql_failures_total',
        help: 'Units and queries that failed: condition and duplicate are regular; unavailable, commit_unknown, error are not.',
        labels: ['operation', 'reason'],
      },
      registry,
    ),
    sqlWaiting: new Readings(
      { name: 'cinder_sql_waiting', help: 'Write units and queries under way or waiting.', labels: ['operation'] },
      registry,
    ),
    driverSeconds: new Histogram(
      { name: 'cinder_driver_seconds', help: "How long a driver's operations took.", labels: driver },
      LONG_S,
      registry,
    ),
    driverFailures: new Counter(
      { name: 'cinder_driver_failures_total', help: 'Operations of a driver that failed.', labels: driver },
      registry,
    ),
    backends: new Readings(
      { name: 'cinder_backends', help: 'Backends of this process, by whether they work.', labels: ['state'] },
      registry,
    ),
    problems: new Readings(
      {
        name: 'cinder_storage_problems',
        help: 'Files and records of the backends of this process that do not agree, as the last sweep confirmed.',
        labels: ['kind'],
      },
      registry,
    ),
    quarantined: new Readings(
      { name: 'cinder_quarantined_files', help: 'Files in the quarantines of this process, at the last sweep.' },
      registry,
    ),
    orphans: new Counter(
      {
        name: 'cinder_orphans_total',
        help: 'Files without a record that were put away (quarantined), or destroyed when their time was over (removed).',
        labels: ['outcome'],
      },
      registry,
    ),
    watches: new Readings({ name: 'cinder_watches', help: 'Open WatchVolumes streams of this process.' }, registry),
    watchBuffer: new Readings(
      {
        name: 'cinder_watch_buffer_ratio',
        help: 'How full the buffer of the slowest reader is; at 1 its stream ends with RESOURCE_EXHAUSTED.',
      },
      registry,
    ),
    eventsLag: new Readings(
      {
        name: 'cinder_events_lag_seconds',
        help: 'Age of the oldest change that the watches of this process have not been told; absent while nobody watches.',
      },
      registry,
    ),
  };
}
