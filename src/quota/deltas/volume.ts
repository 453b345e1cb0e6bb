import { type Amounts, sumOf, typeKey, volumeAmounts } from '../resources.js';
import { type CountedSnapshot, snapshotAmounts, type SnapshotOptions } from './snapshot.js';

/** A volume as quota sees it; sizes in GiB. */
export interface CountedVolume {
  readonly sizeGib: number;
  readonly volumeTypeId: string;
}

/**
 * A volume becomes larger. A hold, because the work outlives the request; the limit of one volume is checked on its own.
 * Rule: cinder/volume/api.py, `_extend`.
 */
export function extendAmounts({ volumeTypeId }: Pick<CountedVolume, 'volumeTypeId'>, increaseGib: number): Amounts {
  return { gigabytes: increaseGib, [typeKey('gigabytes', volumeTypeId)]: increaseGib };
}

/**
 * A volume changes its type, and takes its snapshots along: the totals stay, one type gives what the other takes. One
 * reservation of both signs, held until the volume service has finished. Rule: cinder/volume/api.py, `retype`;
 * cinder/quota_utils.py, `get_volume_type_reservation`.
 */
export function retypeAmounts(
  volume: CountedVolume & { readonly snapshots: readonly CountedSnapshot[] },
  newTypeId: string,
  { countSnapshotGib }: SnapshotOptions,
): Amounts {
  const { sizeGib, volumeTypeId, snapshots } = volume;
  const snapshotGib = countSnapshotGib ? snapshots.reduce((sum, one) => sum + one.sizeGib, 0) : 0;
  const ofType = (id: string, sign: 1 | -1) => ({
    [typeKey('volumes', id)]: sign,
    [typeKey('gigabytes', id)]: sign * (sizeGib + snapshotGib),
    ...(snapshots.length > 0 && { [typeKey('snapshots', id)]: sign * snapshots.length }),
  });
  return sumOf([ofType(newTypeId, 1), ofType(volumeTypeId, -1)]);
}

/**
 * A volume that exists becomes ours, whose size nobody has read yet: it counts as one, and its gigabytes are checked at 0.
 * What it holds is charged when its driver says so, as an extension. Rule: cinder/volume/flows/api/manage_existing.py.
 */
export function manageAmounts(volumeTypeId: string): Amounts {
  return volumeAmounts({ sizeGib: 0, volumeTypeId });
}

/**
 * A volume goes to another project, with its snapshots or without: what the recipient reserves, and what the donor gives
 * back in a release of its own. Rule: cinder/transfer/api.py, `accept`.
 */
export function transferAmounts(
  volume: CountedVolume,
  snapshots: readonly CountedSnapshot[],
  options: SnapshotOptions,
): Amounts {
  const { volumeTypeId } = volume;
  const taken = snapshots.map(({ sizeGib }) => snapshotAmounts({ sizeGib, volumeTypeId }, options));
  return sumOf([volumeAmounts(volume), ...taken]);
}
