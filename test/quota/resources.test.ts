import test from 'ava';
import { toKey, toPublicName, volumeAmounts } from '#src/quota/resources.js';

const NAMES = new Map([['1111', 'fast']]);
const IDS = new Map([['fast', '1111']]);

test('a volume uses its own type as well as the totals', (t) => {
  t.deepEqual(volumeAmounts({ sizeGib: 5, volumeTypeId: '1111' }), {
    ...{ volumes: 1, gigabytes: 5, volumes_1111: 1, gigabytes_1111: 5 },
  });
});

test('resources of a type are stored by its id and shown by its name', (t) => {
  t.is(toPublicName('gigabytes_1111', NAMES), 'gigabytes_fast');
  t.is(toPublicName('gigabytes_2222', NAMES), 'gigabytes_2222');
  t.is(toPublicName('backup_gigabytes', NAMES), 'backup_gigabytes');
  t.is(toKey('gigabytes_fast', IDS), 'gigabytes_1111');
  t.is(toKey('per_volume_gigabytes', IDS), 'per_volume_gigabytes');
});

test('names of no resource have no key', (t) => {
  for (const name of ['gigabytes_slow', 'gigabytes_', 'backups_fast', 'cores', '__proto__', '']) {
    t.is(toKey(name, IDS), undefined, name);
  }
});
