import test from 'ava';
import { backupAmounts } from '#src/quota/deltas/backup.js';
import { GROUP_AMOUNTS, groupDeletionAmounts } from '#src/quota/deltas/group.js';
import { groupSnapshotAmounts, managedSnapshotAmounts, snapshotAmounts } from '#src/quota/deltas/snapshot.js';
import { extendAmounts, manageAmounts, retypeAmounts, transferAmounts } from '#src/quota/deltas/volume.js';

const COUNTED = { countSnapshotGib: true };
const NOT_COUNTED = { countSnapshotGib: false };
const VOLUME = { sizeGib: 5, volumeTypeId: 'a' };

test('a snapshot counts as one and with its gigabytes, in all and of its type, unless they are not counted', (t) => {
  const counts = { snapshots: 1, snapshots_a: 1 };
  t.deepEqual(snapshotAmounts(VOLUME, COUNTED), { ...counts, gigabytes: 5, gigabytes_a: 5 });
  t.deepEqual(snapshotAmounts(VOLUME, NOT_COUNTED), counts);
});

test('a group snapshot is the sum of its members, of whatever types', (t) => {
  const members = [VOLUME, { sizeGib: 2, volumeTypeId: 'b' }, { sizeGib: 1, volumeTypeId: 'a' }];
  t.deepEqual(groupSnapshotAmounts(members, COUNTED), {
    ...{ snapshots: 3, snapshots_a: 2, snapshots_b: 1, gigabytes: 8, gigabytes_a: 6, gigabytes_b: 2 },
  });
});

test('an extension asks for the difference', (t) => {
  t.deepEqual(extendAmounts(VOLUME, 7), { gigabytes: 7, gigabytes_a: 7 });
});

test('a retype leaves the totals alone: one type gives what the other takes, snapshots included', (t) => {
  const volume = { ...VOLUME, snapshots: [{ sizeGib: 4 }, { sizeGib: 5 }] };
  t.deepEqual(retypeAmounts(volume, 'b', COUNTED), {
    ...{ volumes_b: 1, gigabytes_b: 14, snapshots_b: 2, volumes_a: -1, gigabytes_a: -14, snapshots_a: -2 },
  });
  t.deepEqual(retypeAmounts(volume, 'b', NOT_COUNTED), {
    ...{ volumes_b: 1, gigabytes_b: 5, snapshots_b: 2, volumes_a: -1, gigabytes_a: -5, snapshots_a: -2 },
  });
  t.deepEqual(retypeAmounts({ ...VOLUME, snapshots: [] }, 'a', COUNTED), { volumes_a: 0, gigabytes_a: 0 });
});

test('a transfer moves the volume and the snapshots that go along', (t) => {
  t.deepEqual(transferAmounts(VOLUME, [{ sizeGib: 5 }, { sizeGib: 3 }], COUNTED), {
    ...{ volumes: 1, volumes_a: 1, gigabytes: 13, gigabytes_a: 13, snapshots: 2, snapshots_a: 2 },
  });
  t.deepEqual(transferAmounts(VOLUME, [], COUNTED), { volumes: 1, volumes_a: 1, gigabytes: 5, gigabytes_a: 5 });
});

test('what becomes ours counts as one at once, and with its size when somebody has read it', (t) => {
  t.deepEqual(manageAmounts('a'), { volumes: 1, volumes_a: 1, gigabytes: 0, gigabytes_a: 0 });
  t.deepEqual(managedSnapshotAmounts('a', { fromGib: 5, toGib: 3 }, COUNTED), { gigabytes: -2, gigabytes_a: -2 });
  t.is(managedSnapshotAmounts('a', { fromGib: 5, toGib: 5 }, COUNTED), undefined);
  t.is(managedSnapshotAmounts('a', { fromGib: 5, toGib: 8 }, NOT_COUNTED), undefined);
});

test('backups and groups have no types; a group that goes takes its volumes along', (t) => {
  t.deepEqual(backupAmounts(9), { backups: 1, backup_gigabytes: 9 });
  t.deepEqual(GROUP_AMOUNTS, { groups: 1 });
  t.deepEqual(groupDeletionAmounts([VOLUME, { sizeGib: 2, volumeTypeId: 'b' }]), {
    ...{ groups: 1, volumes: 2, volumes_a: 1, volumes_b: 1, gigabytes: 7, gigabytes_a: 5, gigabytes_b: 2 },
  });
});
