/** Cinder's default for `scheduler_default_filters`; ours has one more, see src/config/schema.ts. */
export const DEFAULT_FILTERS = ['AvailabilityZoneFilter', 'CapacityFilter', 'CapabilitiesFilter'] as const;

/** Cinder's default for `scheduler_default_weighers`. */
export const DEFAULT_WEIGHERS = ['CapacityWeigher'] as const;

/** Cinder's default for `scheduler_weight_handler`. */
export const DEFAULT_WEIGHT_HANDLER = 'OrderedHostWeightHandler';
