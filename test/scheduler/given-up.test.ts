import test from 'ava';
import { createVolumeOnScheduler, createVolumeOnVolume, deleteVolumeOnVolume } from '#src/casts/cast-messages.js';
import { extendOnVolume, manageOnVolume, migrateOnVolume, retypeOnVolume } from '#src/casts/volume-work-messages.js';
import type { CastMessage } from '#src/db/worker-row.js';
import type { ClaimId } from '#src/scheduler/claims.js';
import { releaseGivenUp } from '#src/scheduler/given-up.js';
import { sqliteStore } from '../support/sql.js';
import { standing } from './deciding.js';

test('of work that is given up the claim ends where the room was to be taken', async (t) => {
  const volume = await standing(await sqliteStore(t), { status: 'available', host: 'h1@b#p' });
  const clustered = { ...volume, clusterName: 'c@b#p' };
  const there = { host: 'h2@b#q', clusterName: null, capabilities: {} };
  const filterProperties = { schedulerHints: new Map<string, string>() };
  const cast = { volume, filterProperties };
  const move = { ...cast, migrationPolicy: 'on-demand', reservations: [], oldReservations: [] };
  const create = createVolumeOnVolume({ ...cast, allowReschedule: true });
  const places: readonly (readonly [CastMessage, string | undefined])[] = [
    [create, 'h1@b#p'],
    [extendOnVolume({ ...cast, newSizeGib: 2, reservations: [] }), 'h1@b#p'],
    [extendOnVolume({ ...cast, volume: clustered, newSizeGib: 2, reservations: [] }), 'c@b#p'],
    [migrateOnVolume({ ...cast, backend: 'h2@b', forceCopy: false }, there), 'h2@b#q'],
    [retypeOnVolume(move, 'type', { ...there, clusterName: 'd@b#q' }), 'd@b#q'],
    [manageOnVolume(volume, new Map()), undefined],
    [deleteVolumeOnVolume({ volume, unmanageOnly: false, cascade: false }), undefined],
    [createVolumeOnScheduler(cast), undefined],
    [{ ...create, payload: Buffer.from([0xff, 0xff]) }, undefined],
  ];
  for (const [message, place] of places) {
    const released: [ClaimId, string][] = [];
    const release = async (id: ClaimId, from: string): Promise<void> => void released.push([id, from]);
    await releaseGivenUp({ release }, { resourceId: volume.id, epoch: 8, message });
    const expected = place === undefined ? [] : [[{ volumeId: volume.id, epoch: 7 }, place]];
    t.deepEqual(released, expected as typeof released, message.method);
  }
});
