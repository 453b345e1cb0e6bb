import test from 'ava';
import type { Over } from '#src/errors/catalogue.js';
import { Fault } from '#src/errors/fault.js';
import { checkVolumeSize, limitCheck, overflow, overQuota, overQuotaOfExtend } from '#src/quota/over-quota.js';

const NO_TYPES = { typeNames: new Map<string, string>() };

test('a user sees the name of a type, not its id, and every resource that is over', (t) => {
  const over = [row('volumes_1111', 1), row('gigabytes_1111', 5)];
  const fault = overQuota(over, { subject: 'volumes', sizeGib: 3, typeNames: new Map([['1111', 'fast']]) });
  t.true(Fault.is(fault, 'VolumeSizeExceedsAvailableQuota'));
  if (!Fault.is(fault, 'VolumeSizeExceedsAvailableQuota')) return;
  t.deepEqual(fault.facts, {
    ...{ name: 'gigabytes_fast', requested: 3, consumed: 0, quota: 5 },
    over: [row('gigabytes_fast', 5), row('volumes_fast', 1)],
  });
});

test('a subject has its own words, and backups their own gigabytes', (t) => {
  const nameOf = (subject: Parameters<typeof overQuota>[1]['subject'], ...over: readonly string[]) => {
    const fault = overQuota(
      over.map((resource) => row(resource, 1)),
      { subject, sizeGib: 3, ...NO_TYPES },
    );
    return fault.name;
  };
  t.is(nameOf('snapshots', 'snapshots'), 'SnapshotLimitExceeded');
  t.is(nameOf('backups', 'backups'), 'BackupLimitExceeded');
  t.is(nameOf('backups', 'backups', 'backup_gigabytes'), 'VolumeBackupSizeExceedsAvailableQuota');
  t.is(nameOf('groups', 'groups'), 'GroupLimitExceeded');
  t.is(nameOf('volumes', 'groups', 'snapshots'), 'UnexpectedOverQuota');
});

test('an extension speaks of the gigabytes in all, and says which are over', (t) => {
  const total = { limit: 1000, inUse: 46, reserved: 4, asked: 2 };
  const fault = overQuotaOfExtend([row('gigabytes_1111', 3)], { total, typeNames: new Map([['1111', 'fast']]) });
  t.true(Fault.is(fault, 'VolumeSizeExceedsAvailableQuota'));
  t.deepEqual(fault.facts, {
    ...{ name: 'gigabytes', requested: 2, consumed: 50, quota: 1000 },
    over: [row('gigabytes_fast', 3)],
  });
});

test('values below nothing, and resources that are counted, cannot be checked against a limit; all are named', (t) => {
  const unders = t.throws(() => limitCheck({ per_volume_gigabytes: -1, oranges: -2, volumes: 1 }, () => -1));
  t.true(Fault.is(unders, 'InvalidQuotaValue'));
  t.regex(unders.message, /oranges, per_volume_gigabytes\./);
  const unknown = t.throws(() => limitCheck({ per_volume_gigabytes: 1, volumes: 1, oranges: 2 }, () => -1));
  t.true(Fault.is(unknown, 'QuotaResourceUnknown'));
  t.regex(unknown.message, /oranges, volumes\./);
});

test('an overflow is an error of its own', (t) => {
  const fault = overflow([row('gigabytes_1111', -1)], new Map([['1111', 'fast']]));
  t.is(fault.name, 'QuotaUsageOverflow');
  t.regex(fault.message, /gigabytes_fast/);
});

test('one volume larger than a volume may be is refused whatever is free', (t) => {
  const upTo = (limit: number) => (resource: string) => (resource === 'per_volume_gigabytes' ? limit : -1);
  t.notThrows(() => checkVolumeSize(10, upTo(10)));
  t.notThrows(() => checkVolumeSize(10, upTo(-1)));
  const error = t.throws(() => checkVolumeSize(11, upTo(10)), { name: 'VolumeSizeExceedsLimit' });
  t.is(error.message, 'Requested volume size 11G is larger than maximum allowed limit 10G.');
});

function row(resource: string, limit: number): Over {
  return { resource, limit, inUse: 0, reserved: 0, asked: 1 };
}
