import test from 'ava';
import { type Creation, disagreements, Ledger, NEVER_ENDED, NO_BACKEND, type VolumeRow } from './ledger.js';

const ASKED: Creation = {
  ...{ projectId: 'p', name: 'one', idempotencyKey: 'k', sourceVolumeId: undefined },
  ...{ ending: 'accepted', id: 'v1', deletion: undefined, why: 'over quota' },
};
const MADE: VolumeRow = {
  ...{ id: 'v1', name: 'one', status: 'available', host: 'h@b#p', status_reason: null },
  ...{ is_deleted: false, was_made: true, created_at: 1_000 },
};
const UNDONE: VolumeRow = { ...MADE, id: 'v0', status: 'creating', host: null, is_deleted: true, was_made: false };
const GONE: VolumeRow = { ...MADE, status: 'deleted', is_deleted: true };
const GIVEN_UP: VolumeRow = { ...MADE, status: 'error', status_reason: `${NEVER_ENDED} See the log.` };

function said(creation: Partial<Creation>, ...records: readonly VolumeRow[]): readonly string[] {
  const ledger = new Ledger();
  ledger.creations.push({ ...ASKED, ...creation });
  return disagreements(ledger, records, (moment) => (moment <= 1_000 ? 5 : 4));
}

test('records agree with what clients were answered', (t) => {
  t.deepEqual(said({}, MADE), []);
  t.deepEqual(said({}, UNDONE, MADE), [], 'a first attempt was undone, and repeated');
  t.deepEqual(said({ ending: 'refused' }), []);
  t.deepEqual(said({ ending: 'refused' }, UNDONE), []);
  t.deepEqual(said({ ending: 'in doubt', id: '' }), []);
  t.deepEqual(said({ ending: 'in doubt', id: '' }, MADE), []);
  t.deepEqual(said({ deletion: 'accepted' }, GONE), []);
  t.deepEqual(said({ deletion: 'in doubt' }, GONE), []);
  t.deepEqual(said({ deletion: 'in doubt' }, MADE), []);
  t.deepEqual(said({}, { ...MADE, status: 'error', status_reason: `${NO_BACKEND} None of 4.` }), []);
  t.deepEqual(said({}, GIVEN_UP), [], 'its process was killed five times');
  t.deepEqual(said({ deletion: 'accepted' }, { ...GIVEN_UP, status: 'error_deleting' }), []);
});

test('every way in which they do not agree is said', (t) => {
  t.deepEqual(said({}), ['one was accepted as v1, and there is no such volume']);
  t.deepEqual(said({}, { ...MADE, id: 'v2' }), ['one was accepted as v1, and the volume is v2']);
  t.deepEqual(said({}, MADE, { ...MADE, id: 'v2' }), ['2 volumes for the one request one: v1, v2']);
  t.deepEqual(said({}, MADE, { ...GONE, id: 'v2' }), ['2 volumes for the one request one: v1, v2']);
  t.deepEqual(said({ ending: 'in doubt', id: '' }, MADE, { ...MADE, id: 'v2' }), [
    '2 volumes for the one request one: v1, v2',
  ]);
  t.deepEqual(said({ ending: 'refused', id: '' }, MADE), ['one was refused (over quota), and there is volume v1']);
  t.deepEqual(said({ deletion: 'accepted' }, MADE), ['the deletion of v1 was accepted, and it is there: available']);
  t.deepEqual(said({ deletion: 'accepted' }, { ...MADE, status: 'error_deleting', status_reason: 'it broke' }), [
    'the deletion of v1 was accepted, and it is there: error_deleting',
  ]);
  t.deepEqual(said({}, GONE), ['v1 is gone, and nobody was told so']);
  t.deepEqual(said({}, { ...MADE, status: 'creating' }), ['one, volume v1, is in creating: nobody knows why']);
  t.deepEqual(said({}, { ...MADE, status: 'error', status_reason: 'The operators find the cause.' }), [
    'one, volume v1, is in error: The operators find the cause.',
  ]);
  t.deepEqual(
    said({}, { ...GIVEN_UP, created_at: 1_001 }),
    [`one, volume v1, is in error: ${NEVER_ENDED} See the log.`],
    'since it was asked for processes have ended four times',
  );
  t.deepEqual(said({}, MADE, { ...MADE, name: 'two', id: 'v3' }), ['nobody has asked for volume v3']);
});
