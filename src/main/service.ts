/** A service that runs in this process. */
export interface Service {
  /** `address:port` with the port that was bound. */
  readonly address: string;
  /** Takes nothing new, lets running work end within `graceMs`, and says goodbye in the records. */
  stop(graceMs: number): Promise<void>;
}
