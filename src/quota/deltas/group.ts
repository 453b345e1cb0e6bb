import { type Amounts, sumOf, volumeAmounts } from '../resources.js';
import type { CountedVolume } from './volume.js';

/** What a group uses besides its volumes. Rule: cinder/group/api.py, `update_quota`. */
export const GROUP_AMOUNTS: Amounts = { groups: 1 };

/** What goes with a group that takes its volumes along. Rule: cinder/volume/manager.py, `delete_group`. */
export function groupDeletionAmounts(volumes: readonly CountedVolume[]): Amounts {
  return sumOf([GROUP_AMOUNTS, ...volumes.map((volume) => volumeAmounts(volume))]);
}
