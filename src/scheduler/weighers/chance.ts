import type { Weigher, WeigherParts } from './weigher.js';

/** Prefers pools at random. Rule: cinder/scheduler/weights/chance.py. */
export const chanceWeigher = ({ random }: WeigherParts): Weigher => ({
  name: 'ChanceWeigher',
  multiplier: 1,
  weigh: () => random(),
});
