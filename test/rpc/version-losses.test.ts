import test, { type ExecutionContext } from 'ava';
import { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { VolumeClient } from '#src/rpc/clients/volume-client.js';
import { Cap } from '#src/rpc/version-cap.js';
import type { Loss } from '#src/rpc/version-losses.js';
import { versionOf } from '#src/rpc/version-number.js';
import { clientOptions, Installation } from '../support/rpc.js';

function lossesOf(
  t: ExecutionContext,
  Client: typeof SchedulerClient | typeof VolumeClient,
  [rpc, objects]: readonly [rpc: string, objects: string],
  rpcVersion?: string,
): readonly Loss[] {
  const client = new Client(clientOptions(new Installation(), rpcVersion === undefined ? {} : { rpcVersion }));
  t.teardown(() => client.close());
  return client.lossesBelow(new Cap({ rpc: versionOf(rpc), objects: versionOf(objects) }));
}

const said = (losses: readonly Loss[]): readonly string[] =>
  losses.map(({ kind, what, since, instead }) => `${kind} ${what} ${since}${instead ? ` as ${instead}` : ''}`);

test('a receiver of one’s own version costs nothing', (t) => {
  t.deepEqual(lossesOf(t, SchedulerClient, ['3.12', '1.39']), []);
  t.deepEqual(lossesOf(t, VolumeClient, ['3.20', '1.39']), []);
});

test('a scheduler of 3.9 costs the methods and fields that came after it', (t) => {
  t.deepEqual(said(lossesOf(t, SchedulerClient, ['3.9', '1.39'])), [
    'method refused ManageExistingSnapshot 3.11',
    'method refused CreateBackup 3.12',
    'method refused ExplainPlacement 3.12',
    'field dropped CreateVolumeRequest.backup_id 3.10',
    'field dropped UpdateServiceCapabilitiesRequest.included_claims 3.12',
  ]);
});

test('older objects cost their fields, wherever they travel, once', (t) => {
  const losses = said(lossesOf(t, VolumeClient, ['3.20', '1.38']));
  t.deepEqual([...losses].sort(), ['field dropped Snapshot.use_quota 1.6', 'field reworded Volume.use_quota 1.9']);
});

test('a method that had another name is no loss but of words', (t) => {
  t.true(
    said(lossesOf(t, SchedulerClient, ['3.2', '1.39'])).includes(
      'method reworded MigrateVolume 3.3 as MigrateVolumeToHost',
    ),
  );
  t.true(said(lossesOf(t, VolumeClient, ['3.7', '1.39'])).includes('method reworded Failover 3.8 as FailoverHost'));
});

test('what must not be left out is said to be refused', (t) => {
  t.true(said(lossesOf(t, VolumeClient, ['3.19', '1.39'])).includes('field refused ReimageRequest.image_snap 3.20'));
  t.false(
    said(lossesOf(t, VolumeClient, ['3.17', '1.39'])).some((loss) => loss.includes('image_snap')),
    'its method is refused',
  );
});

test('what a process does not know itself, no receiver costs it', (t) => {
  t.deepEqual(said(lossesOf(t, SchedulerClient, ['3.9', '1.39'], '3.10')), [
    'field dropped CreateVolumeRequest.backup_id 3.10',
  ]);
});
