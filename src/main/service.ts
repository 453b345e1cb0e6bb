/** A service that runs in this process. */
export interface Service {
  /** `address:port` with the port that was bound. */
  readonly address: string;
  /** Says NOT_SERVING, and takes no new work; what runs goes on. At once, and safe to repeat: `stop` follows. */
  drain(): void;
  /** Takes nothing new, lets running work end within `graceMs`, and says goodbye in the records. */
  stop(graceMs: number): Promise<void>;
}
