/**
 * Says when a backend can take again what waited for one: it is up and was not, or reports for the first time since. One whose
 * heartbeat comes back before its report is news twice, and so is one whose report comes before its heartbeat.
 */
export class BackendNews {
  /** `host@backend` of those that have reported since they were last seen to be down. */
  readonly #heard = new Set<string>();
  #up: ReadonlySet<string> = new Set();

  /** A backend has reported; `isUp`: by the list of services. True: that is news. */
  reported(host: string, isUp: boolean): boolean {
    const isNews = !isUp || !this.#heard.has(host);
    this.#heard.add(host);
    return isNews;
  }

  /** The list of services was read: these are up. True: one of them was not. */
  read(up: ReadonlySet<string>): boolean {
    const isNews = [...up].some((host) => !this.#up.has(host));
    this.#up = up;
    for (const host of this.#heard) if (!up.has(host)) this.#heard.delete(host);
    return isNews;
  }
}
