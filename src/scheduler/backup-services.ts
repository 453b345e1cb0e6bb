/** What a backup service says of itself. Rule: cinder/scheduler/host_manager.py, `backup_service_states`. */
interface BackupService {
  readonly isUsable: boolean;
  readonly zone: string;
}

/** Services remembered; the one that has been silent for longest goes first. */
const MOST = 1_000;

/** The backup services that have reported. Rule: cinder/scheduler/host_manager.py, `get_backup_host`. */
export class BackupServices {
  readonly #services = new Map<string, BackupService>();

  /** Takes the report of the service on a host. */
  report(host: string, capabilities: Readonly<Record<string, unknown>>): void {
    const { backend_state: state, availability_zone: zone } = capabilities;
    this.#services.delete(host);
    this.#services.set(host, { isUsable: Boolean(state), zone: typeof zone === 'string' ? zone : '' });
    const [oldest] = this.#services.keys();
    if (this.#services.size > MOST && oldest !== undefined) this.#services.delete(oldest);
  }

  /** The host of one that works, in a zone, or with no zone in any; undefined: there is none. `random`: [0, 1). */
  choose(zone: string, random: () => number): string | undefined {
    const hosts = [...this.#services]
      .filter(([, service]) => service.isUsable && (zone === '' || service.zone === zone))
      .map(([host]) => host);
    return hosts[Math.floor(random() * hosts.length)];
  }
}
