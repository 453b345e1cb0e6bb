/** A well-formed CreateVolume, in the domain's words. Sizes in GiB; absent is absent. */
export interface CreateVolume {
  /** Absent only with a source: its size. */
  readonly sizeGib?: number;
  readonly name: string | null;
  readonly description: string | null;
  /** Id or name; absent: the source's type, else the default one. */
  readonly volumeType?: string;
  readonly availabilityZone?: string;
  /** UUID of the volume to clone. */
  readonly sourceVolumeId?: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** Cinder's hints by name, values as JSON. */
  readonly schedulerHints: ReadonlyMap<string, string>;
  readonly idempotency?: IdempotencyKey;
}

/** A caller's key and what it stands for. */
export interface IdempotencyKey {
  /** Full name of the method it is for, e.g. `cinder.api.v3.Volumes/DeleteVolume`: each has keys of its own. */
  readonly rpc: string;
  readonly key: string;
  /** SHA-256 of the request without the key, hex. */
  readonly requestHash: string;
}
