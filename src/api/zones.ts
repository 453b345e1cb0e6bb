/** The zones there are: those of the volume services, enabled or not, and the configured one. */
export interface Zones {
  known(): Promise<ReadonlySet<string>>;
}

/**
 * Reads the zones at most once in `maxAgeMs`: a new backend's zone is usable within that time.
 * Rule: cinder/volume/api.py, `list_availability_zones`.
 */
export function cachedZones(read: () => Promise<Iterable<string>>, storageZone: string, maxAgeMs: number): Zones {
  let cached: { readonly zones: Promise<ReadonlySet<string>>; readonly until: number } | undefined;
  return {
    known() {
      if (!cached || performance.now() >= cached.until) {
        const zones = read().then((names) => new Set([...names, storageZone]));
        cached = { zones, until: performance.now() + maxAgeMs };
        zones.catch(() => (cached = undefined));
      }
      return cached.zones;
    },
  };
}
