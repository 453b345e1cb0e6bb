/** A row of the services that serve volumes; the flags are the effective ones (a clustered service has its cluster's). */
export interface VolumeService {
  /** `host@backend`. */
  readonly host: string;
  readonly clusterName: string | null;
  /** Absent only in records that never had one. */
  readonly availabilityZone?: string | null;
  readonly up: boolean;
  readonly disabled: boolean;
  readonly frozen: boolean;
}

/** Under which name reports and pools of the service are kept. Rule: cinder/objects/base.py, `service_topic_queue`. */
export function backendKeyOf(service: Pick<VolumeService, 'host' | 'clusterName'>): string {
  return service.clusterName ?? service.host;
}

/** Whether two rows put a pool in the same place. */
export function isSamePlace(a: VolumeService, b: VolumeService): boolean {
  return a.host === b.host && a.clusterName === b.clusterName && a.availabilityZone === b.availabilityZone;
}
