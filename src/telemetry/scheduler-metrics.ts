import type { Registry } from 'prom-client';
import { Counter, Histogram, Readings, SHORT_S } from './series.js';

/** How volumes are placed. */
export function schedulerMetrics(registry: Registry) {
  return {
    decisions: new Counter(
      {
        name: 'cinder_scheduler_decisions_total',
        help: 'Decisions: placed, rejected (by filters, or taken meanwhile), no_pools.',
        labels: ['outcome'],
      },
      registry,
    ),
    decisionSeconds: new Histogram(
      { name: 'cinder_scheduler_decision_seconds', help: 'How long filtering, weighing and choosing took.' },
      SHORT_S,
      registry,
    ),
    filterSeen: new Counter(
      { name: 'cinder_scheduler_filter_seen_total', help: 'Pools that a filter was asked about.', labels: ['filter'] },
      registry,
    ),
    filterRejected: new Counter(
      { name: 'cinder_scheduler_filter_rejected_total', help: 'Pools that a filter rejected.', labels: ['filter'] },
      registry,
    ),
    claims: new Counter(
      {
        name: 'cinder_scheduler_claims_total',
        help: 'Claims on room: won, lost (others have it), unneeded (no measured capacity), unclaimed (Redis did not answer).',
        labels: ['answer'],
      },
      registry,
    ),
    claimsEnded: new Counter(
      {
        name: 'cinder_scheduler_claims_ended_total',
        help: 'Claims that ended: included (in a report), released (the volume was not made there), expired (by deadline).',
        labels: ['how'],
      },
      registry,
    ),
    claimsOutstanding: new Readings(
      {
        name: 'cinder_scheduler_claims_outstanding',
        help: 'Claims that no report includes yet, of all schedulers, on the first 256 backends.',
      },
      registry,
    ),
    claimedGib: new Readings(
      {
        name: 'cinder_scheduler_claimed_gib',
        help: 'GiB of these claims.',
      },
      registry,
    ),
    claimsUnread: new Readings(
      {
        name: 'cinder_scheduler_claims_unread_backends',
        help: 'Backends beyond the first 256: their claims are in neither of the two.',
      },
      registry,
    ),
    pools: new Readings({ name: 'cinder_scheduler_pools', help: 'Pools that volumes can be placed on now.' }, registry),
    silentBackends: new Readings(
      {
        name: 'cinder_scheduler_silent_backends',
        help: 'Backends that are up and have not reported to this scheduler.',
      },
      registry,
    ),
    oddPools: new Readings(
      {
        name: 'cinder_scheduler_odd_pools',
        help: 'Pools whose report is strange: stale, clock_ahead, clock_behind, contradictory, negative, listed_twice.',
        labels: ['kind'],
      },
      registry,
    ),
    oldestReport: new Readings(
      {
        name: 'cinder_scheduler_oldest_report_seconds',
        help: "Age of the oldest report among the pools' backends; absent without any.",
      },
      registry,
    ),
  };
}
