import test from 'ava';
import { ignoreAttemptedHostsFilter } from '#src/scheduler/filters/ignore-attempted-hosts.js';
import { poolAt, requestOf, type RecordedProperties } from '../recorded.js';
import { failing, vectors } from '../vectors.js';

interface Input {
  readonly backend_state: { readonly host: string; readonly cluster_name: string | null };
  readonly filter_properties: RecordedProperties;
}

test('IgnoreAttemptedHostsFilter decides as Cinder does', (t) => {
  const cases = vectors<Input, unknown>('ignore_attempted_hosts_filter');
  const run = ({ backend_state: { host, cluster_name }, filter_properties }: Input) => ({
    passes: ignoreAttemptedHostsFilter.passes(poolAt(host, {}, cluster_name), requestOf(filter_properties)),
  });
  t.true(cases.length > 25);
  t.deepEqual(failing(cases, run), []);
});
