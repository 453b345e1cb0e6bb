import type { Registry } from 'prom-client';
import { Counter, Histogram, LONG_S, Readings } from './series.js';

/** Flows, their tasks, and the casts that carry work from service to service. */
export function workMetrics(registry: Registry) {
  const flow = ['flow'] as const;
  const cast = ['binary', 'method'] as const;
  return {
    flows: new Counter(
      {
        name: 'cinder_flows_total',
        help: 'Flows that ended: success, reverted, failure (a revert failed), in_doubt (recovery decides).',
        labels: [...flow, 'ending'],
      },
      registry,
    ),
    flowSeconds: new Histogram(
      { name: 'cinder_flow_seconds', help: 'How long flows took, reverts included.', labels: flow },
      LONG_S,
      registry,
    ),
    taskFailures: new Counter(
      { name: 'cinder_task_failures_total', help: 'Tasks that failed.', labels: [...flow, 'task'] },
      registry,
    ),
    taskReverts: new Counter(
      {
        name: 'cinder_task_reverts_total',
        help: 'Tasks that were undone: reverted, or failed, which leaves something behind.',
        labels: [...flow, 'task', 'outcome'],
      },
      registry,
    ),

    castsSent: new Counter(
      {
        name: 'cinder_casts_sent_total',
        help: 'Casts sent, by what the peer said: claimed, superseded, busy, refused; unanswered ones are sent again.',
        labels: [...cast, 'outcome'],
      },
      registry,
    ),
    castsGivenUp: new Counter(
      {
        name: 'cinder_casts_given_up_total',
        help: 'Casts that nobody took or could do: their volume is in error.',
        labels: cast,
      },
      registry,
    ),
    castsReceived: new Counter(
      {
        name: 'cinder_casts_received_total',
        help: 'Casts received, by our answer: claimed, superseded, busy, refused.',
        labels: [...cast, 'outcome'],
      },
      registry,
    ),
    castsTakenOver: new Counter(
      {
        name: 'cinder_casts_taken_over_total',
        help: 'Casts taken over from an owner that died or restarted.',
        labels: cast,
      },
      registry,
    ),
    castsInFlight: new Readings(
      { name: 'cinder_casts_in_flight', help: 'Casts claimed by this process and not ended.', labels: ['binary'] },
      registry,
    ),
    work: new Counter(
      {
        name: 'cinder_work_total',
        help: 'Pieces of work that ended: done, given_back (later or elsewhere), failed (resource in error), fenced (another owner), stuck (tried again), unbegun (the process stops).',
        labels: [...cast, 'ended'],
      },
      registry,
    ),
    workSeconds: new Histogram(
      { name: 'cinder_work_seconds', help: 'How long pieces of work took, from claim to end.', labels: cast },
      LONG_S,
      registry,
    ),

    unfinished: new Readings(
      {
        name: 'cinder_unfinished_rows',
        help: 'Rows of work in the database, of the whole installation.',
        labels: ['binary', 'state'],
      },
      registry,
    ),
    oldestUnfinished: new Readings(
      {
        name: 'cinder_oldest_unfinished_seconds',
        help: "Age of the oldest row of work by the database's clock, of the whole installation; 0 without any.",
        labels: ['binary', 'status'],
      },
      registry,
    ),
    heartbeatAge: new Readings(
      {
        name: 'cinder_heartbeat_age_seconds',
        help: 'Age of the last heartbeat that a service of this process has written.',
        labels: ['binary'],
      },
      registry,
    ),
    serving: new Readings(
      { name: 'cinder_serving', help: '1 while a service of this process takes requests.', labels: ['service'] },
      registry,
    ),
  };
}
