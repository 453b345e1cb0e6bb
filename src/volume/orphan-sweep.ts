import { namesOnRecord } from '../db/backend-records.js';
import type { Store } from '../db/store.js';
import type { QuarantinedVolume } from '../drivers/inventory.js';
import { Fault } from '../errors/fault.js';
import type { Log } from '../log/log.js';
import { type Rounds, rounds } from '../time/rounds.js';
import type { Backend } from './backend.js';
import { isOfOtherDatabase, lookAtStorage, type StorageProblem } from './storage-look.js';
import { repairStorage } from './storage-repair.js';

export interface OrphanSweepOptions {
  /** Those that cannot work at the moment are left out. */
  readonly backends: () => readonly Backend[];
  readonly store: Store;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** Between two sweeps, ms. */
  readonly intervalMs: number;
  /** For how long a file must have been without a record before it is put away, ms. */
  readonly graceMs: number;
  /** After which time in quarantine a file is destroyed, ms; undefined: never. */
  readonly removeAfterMs: number | undefined;
  /** ms, never going back. */
  readonly uptime: () => number;
  /** ms since 1970, by the host's clock. */
  readonly now: () => number;
  /** ms since 1970, by the database's clock. Throws DatabaseUnavailable. */
  readonly databaseNow: () => Promise<number>;
  /** Told of each file that was put away, or destroyed; never throws. @default nobody */
  readonly onSwept?: (what: 'quarantined' | 'removed') => void;
}

/** What the last sweep saw on all backends. */
export interface Swept {
  /** Problems that were there at the sweep before, too, by kind. */
  readonly problems: Readonly<Record<StorageProblem['kind'], number>>;
  readonly quarantined: number;
}

/** A problem, since when it is known, and whether the log has it. */
interface Known {
  readonly since: number;
  readonly isReported: boolean;
}

/** A file in quarantine. */
interface Seen {
  /** Since when this process sees it there, by `uptime`. */
  readonly since: number;
  /** For how long it must have been seen there before it is destroyed, ms. */
  readonly leastMs: number;
}

/**
 * A file that was in quarantine already when a process began to look is seen there for so long before it is destroyed, ms:
 * its stamp may be of a clock that was wrong, and somebody must have the time to notice.
 */
const LEAST_SEEN_MS = 86_400_000;

/** Problems of a backend that are remembered, and files in its quarantine; more are no accident, and an operator's business. */
const MOST_KNOWN = 10_000;
/** Problems of a kind that are named in the log; their number is always there. */
const NAMED = 10;

/**
 * Compares each backend with the records, again and again, and puts away what no record has explained for the grace time: a
 * file that a process which was taken for dead has made, or a record that was lost. Rule: docs/protocols.md §W ZOMBIE.
 */
export class OrphanSweep {
  readonly #options: OrphanSweepOptions;
  readonly #stopping = new AbortController();
  /** By backend, then by what identifies a problem. */
  readonly #known = new Map<string, ReadonlyMap<string, Known>>();
  readonly #quarantined = new Map<string, number>();
  /** By backend, then by file: what the last look at the quarantine saw. */
  readonly #seen = new Map<string, ReadonlyMap<string, Seen>>();
  readonly #begun: { readonly now: number; readonly uptime: number };
  readonly #sweeps: Rounds;

  constructor(options: OrphanSweepOptions) {
    this.#options = options;
    this.#begun = { now: options.now(), uptime: options.uptime() };
    this.#sweeps = rounds({
      intervalMs: options.intervalMs,
      round: () => this.sweep(),
      onError: (error) => options.log.warn('backends could not be swept', { error }),
    });
  }

  /** Begins to sweep, after the first interval. */
  start(): void {
    this.#sweeps.start();
  }

  /** Ends with the file at hand. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#sweeps.stop();
  }

  get seen(): Swept {
    const problems = { record_without_file: 0, file_of_other_size: 0, file_without_record: 0, half_made_file_left: 0 };
    for (const known of this.#known.values()) {
      for (const [identity, { isReported }] of known) if (isReported) problems[kindOf(identity)] += 1;
    }
    return { problems, quarantined: [...this.#quarantined.values()].reduce((sum, count) => sum + count, 0) };
  }

  /** Looks at every backend once. Never throws. */
  async sweep(): Promise<void> {
    const { backends, log } = this.#options;
    for (const backend of backends()) {
      try {
        await this.#sweepOne(backend);
        await this.#sweepQuarantine(backend);
      } catch (error) {
        if (!this.#stopping.signal.aborted) log.warn('a backend could not be swept', { backend: backend.name, error });
      }
    }
  }

  async #sweepOne(backend: Backend): Promise<void> {
    const { uptime, graceMs } = this.#options;
    const { problems, explained } = await this.#look(backend);
    const before = this.#known.get(backend.name) ?? new Map<string, Known>();
    const confirmed = problems.filter((problem) => before.has(identityOf(problem)));
    const news = confirmed.filter((problem) => before.get(identityOf(problem))?.isReported === false);
    this.#report(backend, news);
    const now = uptime();
    const known = problems.map((problem): [string, Known] => {
      const identity = identityOf(problem);
      const { since = now } = before.get(identity) ?? {};
      return [identity, { since, isReported: before.has(identity) }];
    });
    this.#known.set(backend.name, new Map(known));
    const due = confirmed.filter((problem) => now - (before.get(identityOf(problem))?.since ?? now) >= graceMs);
    await this.#putAway(backend, due, explained);
  }

  async #look(backend: Backend) {
    const problems: StorageProblem[] = [];
    let [after, explained] = ['', 0];
    do {
      const range = { after, until: '' };
      const page = await lookAtStorage(this.#options.store, backend, range, this.#stopping.signal);
      problems.push(...page.problems.slice(0, MOST_KNOWN - problems.length));
      explained += page.explained;
      after = page.last;
    } while (after !== '');
    return { problems, explained };
  }

  #report({ name: backend }: Backend, news: readonly StorageProblem[]): void {
    const { log } = this.#options;
    for (const kind of new Set(news.map((problem) => problem.kind))) {
      const ofKind = news.filter((problem) => problem.kind === kind);
      const named = ofKind
        .slice(0, NAMED)
        .map(({ pool, volumeId, description }) => `${pool}/${volumeId}: ${description}`);
      log.warn('files and records do not agree', { backend, kind, count: ofKind.length, named });
    }
  }

  /** Not when it would be most of what is there: then it is rather the database that is the wrong one. */
  async #putAway(backend: Backend, due: readonly StorageProblem[], explained: number): Promise<void> {
    const { store, log, onSwept } = this.#options;
    const files = due.filter(isFile);
    if (isOfOtherDatabase({ unexplained: files.length, explained })) {
      const fields = { backend: backend.name, count: files.length, explained };
      log.error('most files have no record: nothing is put away; is this the right database?', fields);
      return;
    }
    await this.#forEach(backend, files, async (problem) => {
      if (!(await repairStorage(store, backend, problem, this.#stopping.signal))) return;
      const { kind, volumeId, pool, epoch } = problem;
      log.warn('a file that no record explains was put away', { backend: backend.name, kind, volumeId, pool, epoch });
      if (kind === 'file_without_record') onSwept?.('quarantined');
    });
  }

  async #sweepQuarantine(backend: Backend): Promise<void> {
    const { inventory } = backend.driver;
    const { removeAfterMs = Infinity, uptime, log, onSwept } = this.#options;
    const before = this.#seen.get(backend.name);
    const seen = new Map<string, Seen>();
    const leastMs = before ? removeAfterMs : Math.min(removeAfterMs, LEAST_SEEN_MS);
    let count = 0;
    for await (const volumes of inventory.listQuarantined(this.#stopping.signal)) {
      count += volumes.length;
      const patient = volumes.filter((volume) => {
        const file = [volume.pool, volume.name, volume.since].join('\n');
        const known = before?.get(file) ?? { since: uptime(), leastMs };
        if (seen.size < MOST_KNOWN) seen.set(file, known);
        return uptime() - known.since >= known.leastMs;
      });
      const old = await this.#olderThan(removeAfterMs, patient);
      await this.#forEach(backend, await this.#unrecorded(old), async (volume) => {
        await inventory.removeQuarantined(volume);
        count -= 1;
        const fields = { backend: backend.name, ...said(volume) };
        log.warn('a file of the quarantine was destroyed: its time was over', fields);
        onSwept?.('removed');
      });
    }
    this.#seen.set(backend.name, seen);
    this.#quarantined.set(backend.name, count);
  }

  /** By the slowest of all clocks: one that is ahead, or jumps there, makes no file old. */
  async #olderThan(ms: number, volumes: readonly QuarantinedVolume[]): Promise<readonly QuarantinedVolume[]> {
    if (volumes.length === 0 || ms === Infinity) return [];
    const { now, uptime, databaseNow } = this.#options;
    const sinceBegun = this.#begun.now + uptime() - this.#begun.uptime;
    const earliest = Math.min(now(), sinceBegun, await databaseNow());
    return volumes.filter(({ since }) => earliest - since > ms);
  }

  /** Those of which there is no record, on whatever backend: of the others it may be all that is left. */
  async #unrecorded(volumes: readonly QuarantinedVolume[]): Promise<readonly QuarantinedVolume[]> {
    if (volumes.length === 0) return [];
    const recorded = await namesOnRecord(
      this.#options.store,
      volumes.map(({ id }) => id),
    );
    return volumes.filter(({ id }) => !recorded.has(id));
  }

  /** One file that cannot be moved or removed, as a folder that has its name, does not keep the others. */
  async #forEach<T>({ name: backend }: Backend, files: readonly T[], act: (file: T) => Promise<void>): Promise<void> {
    const failures: Fault[] = [];
    for (const file of files) {
      try {
        await act(file);
      } catch (error) {
        if (!Fault.is(error, 'VolumeBackendAPIException')) throw error;
        failures.push(error);
      }
    }
    const [error] = failures;
    if (error) this.#options.log.warn('files could not be put away', { backend, count: failures.length, error });
  }
}

function identityOf({ kind, pool, volumeId, epoch, sign }: StorageProblem): string {
  return [kind, pool, volumeId, epoch, sign].join('\n');
}

function kindOf(identity: string): StorageProblem['kind'] {
  return identity.slice(0, identity.indexOf('\n')) as StorageProblem['kind'];
}

function isFile({ kind }: StorageProblem): boolean {
  return kind === 'file_without_record' || kind === 'half_made_file_left';
}

function said({ id, pool, name }: QuarantinedVolume): Readonly<Record<string, string>> {
  return { volumeId: id, pool, name };
}
