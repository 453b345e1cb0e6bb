import { ALL_PASS, ASK_EACH, type Filter } from './filter.js';

/** Keeps the pools that were not tried before for the same volume. Rule: cinder/scheduler/filters/ignore_attempted_hosts_filter.py. */
export const ignoreAttemptedHostsFilter: Filter = {
  name: 'IgnoreAttemptedHostsFilter',
  passes: (pool, { tried }) => !tried.includes(pool.backendId),
  shortcut: ({ tried }) => (tried.length === 0 ? ALL_PASS : ASK_EACH),
  reason: () => 'was tried before',
  complaint: 'were tried before',
};
