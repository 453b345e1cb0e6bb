import type { Log } from '../log/log.js';
import type { IncludedClaim } from './allocations.js';
import type { Backend } from './backend.js';
import { type CapabilityReport, type ReportParts, reportOf } from './capabilities.js';

/** Unreported claims that make a report worth sending before its time: schedulers count their capacity twice till then. */
const MANY_CLAIMS = 1_000;

/** How often is looked whether a report is due, ms. */
const TICK_MS = 1_000;

export interface CapabilityReporterOptions extends ReportParts {
  readonly backends: readonly Backend[];
  /** Sends a report, or a part, to every scheduler; answers whether any has taken it. */
  readonly publish: (report: CapabilityReport, signal: AbortSignal) => Promise<boolean>;
  readonly log: Log;
  /** `backend_stats_polling_interval`, ms. */
  readonly intervalMs: number;
  /** ms, never going back. */
  readonly uptime: () => number;
}

/**
 * Tells the schedulers what each backend has: when it comes up, at intervals, and when asked. Best effort: what is lost is
 * repeated by the next report. Rule: cinder/volume/manager.py, `publish_service_capabilities`.
 */
export class CapabilityReporter {
  readonly #options: CapabilityReporterOptions;
  /** By `uptime`. */
  readonly #reportedAt = new Map<Backend, number>();
  readonly #underWay = new Map<Backend, Promise<void>>();
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CapabilityReporterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#reportDue(), TICK_MS);
  }

  /** Reports no more, and breaks off the report under way: a scheduler that hangs must not keep us. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stopping.abort();
    await Promise.all(this.#underWay.values());
  }

  /** Reports every backend that is up, to everybody who is there now. Rule: `PublishServiceCapabilities`. */
  async reportAll(): Promise<void> {
    await Promise.all(
      this.#options.backends.map(async (backend) => {
        // a report under way may have been addressed before the one who asks was there
        await this.#underWay.get(backend);
        await this.report(backend);
      }),
    );
  }

  /** Reports a backend if it is up; a report that is under way is joined. Never rejects. */
  report(backend: Backend): Promise<void> {
    const underWay = this.#underWay.get(backend);
    if (underWay || !backend.isUp) return underWay ?? Promise.resolve();
    this.#reportedAt.set(backend, this.#options.uptime());
    const report = this.#send(backend).finally(() => this.#underWay.delete(backend));
    this.#underWay.set(backend, report);
    return report;
  }

  async #reportDue(): Promise<void> {
    const before = this.#options.uptime() - this.#options.intervalMs;
    const due = this.#options.backends.filter(
      (backend) =>
        (this.#reportedAt.get(backend) ?? -Infinity) <= before || backend.allocations.unreported >= MANY_CLAIMS,
    );
    await Promise.all(due.map((backend) => this.report(backend)));
  }

  async #send(backend: Backend): Promise<void> {
    let unheard: readonly IncludedClaim[] = [];
    try {
      const parts = await reportOf(backend, this.#options);
      unheard = parts.flatMap(({ includedClaims }) => includedClaims);
      let isHeard = true;
      for (const part of parts) isHeard = (await this.#options.publish(part, this.#stopping.signal)) && isHeard;
      if (isHeard) unheard = [];
    } catch (error) {
      this.#options.log.warn('a capability report was not sent', { backend: backend.name, error });
    } finally {
      // the next report says it again: no claim ends twice
      for (const claim of unheard) backend.allocations.include(claim);
    }
  }
}
