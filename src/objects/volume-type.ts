/** A volume type. Rule: cinder/objects/volume_type.py. */
export interface VolumeType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly isPublic: boolean;
  readonly qosSpecsId: string | null;
  /** Insertion order is the order in which the scheduler tests them. */
  readonly extraSpecs: ReadonlyMap<string, string>;
}
