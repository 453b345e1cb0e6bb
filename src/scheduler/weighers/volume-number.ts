import type { Weigher, WeigherParts } from './weigher.js';

/** Prefers the pools with the fewest volumes. Rule: cinder/scheduler/weights/volume_number.py. */
export const volumeNumberWeigher = ({ volumeNumberMultiplier }: WeigherParts): Weigher => ({
  name: 'VolumeNumberWeigher',
  multiplier: volumeNumberMultiplier,
  weigh: (pool, { volumeCounts }) => volumeCounts.get(pool.host) ?? 0,
});
