import { beatProcess, type ProcessRecord, putProcess, stopProcess } from '../db/processes.js';
import { beatServices, putService, stopService, stopServices } from '../db/services.js';
import { type Done, RowCountMismatch, type Step, type Store } from '../db/store.js';
import { type Rounds, rounds } from '../time/rounds.js';

export interface PresenceOptions {
  readonly store: Store;
  readonly process: ProcessRecord;
  /** The rows of `services` it stands for; none for an API process. */
  readonly services: readonly PresentService[];
  /** Between two heartbeats, ms. @default 10000 */
  readonly reportIntervalMs?: number;
  /** Makes the ids of new rows. */
  readonly newId: () => string;
  /** Monotonic ms. @default performance.now */
  readonly clock?: () => number;
  /** Age of the last heartbeat at which `onTrouble` is told while the next one is still being written, ms. @default never */
  readonly maxSilentMs?: number;
  /** Told when a heartbeat could not be written, and when the next one could (undefined). @default nobody */
  readonly onTrouble?: (error: unknown) => void;
  /** Told once when a newer run has taken over a service of this one: this process must end. @default nobody */
  readonly onReplaced?: () => void;
}

export interface PresentService {
  /** `host`, or `host@backend`. */
  readonly host: string;
  readonly clusterName: string | null;
  readonly availabilityZone: string;
}

/** Keeps a process and its services in the records while it runs. Rule: docs/protocols.md §W PROCESS; cinder/service.py. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #clock: () => number;
  readonly #ids = new Map<string, string>();
  #services: readonly PresentService[];
  /** Services that have ended, and of which the records do not know it yet. */
  readonly #ended = new Set<string>();
  /** Services come and go one after the other: what is said last holds, however long the records take. Never rejects. */
  #changing: Promise<unknown> = Promise.resolve();
  #writtenAt = -Infinity;
  readonly #beats: Rounds;
  #beating: Promise<void> | undefined;
  #replaced = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#services = [...options.services];
    this.#clock = options.clock ?? (() => performance.now());
    this.#beats = rounds({
      intervalMs: this.#intervalMs,
      round: () => this.beat(),
      onError: (error) => options.onTrouble?.(error),
    });
  }

  /** Registers, and reports for duty from now on. Throws what the store throws: without a row there is no service. */
  async start(): Promise<void> {
    await this.#register();
    this.#beats.start();
  }

  /** Registers one more service, e.g. a backend that has come up late or again. Throws what the store throws. */
  add(service: PresentService): Promise<void> {
    return this.#inTurn(async () => {
      this.#ended.delete(service.host);
      await this.#beating; // it may say that the service has ended
      const [done] = await this.#options.store.apply([this.#row(service)]);
      this.#ids.set(service.host, idIn(done));
      this.#services = [...this.#services.filter(({ host }) => host !== service.host), service];
    });
  }

  /**
   * Takes a service back that cannot serve for now: it looks down at once, or as soon as the records can be written. Never
   * rejects.
   */
  remove(host: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#services = this.#services.filter((service) => service.host !== host);
      this.#ids.delete(host);
      this.#ended.add(host);
      await this.#beating; // of a beat that has begun it is not part
      await this.beat();
    });
  }

  /** Age of the last heartbeat that was written, ms: the owner must stop before others presume the process dead. */
  get silentMs(): number {
    return this.#clock() - this.#writtenAt;
  }

  /** Id of the row of a service, by its host; undefined before `start` and for services of others. */
  serviceId(host: string): string | undefined {
    return this.#ids.get(host);
  }

  /** Writes a heartbeat now. Never rejects. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => (this.#beating = undefined));
    return this.#beating;
  }

  /** Ends the heartbeat and says goodbye in the records. Throws what the store throws; then the rows age by themselves. */
  async stop(): Promise<void> {
    await this.#beats.stop();
    await this.#changing;
    await this.#beating;
    const { incarnation } = this.#options.process;
    await this.#options.store.apply([stopServices(incarnation), stopProcess(incarnation)]);
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(change);
    this.#changing = changed.catch(() => undefined); // whoever asked for it is told
    return changed;
  }

  async #beat(): Promise<void> {
    const { store, process, onTrouble, onReplaced } = this.#options;
    const wasSilent = this.silentMs > this.#intervalMs * 1.5;
    const begun = this.#clock();
    // of the moment before: a service that is added meanwhile is not beaten yet
    const [ended, count] = [[...this.#ended], this.#services.length];
    const { incarnation } = process;
    const overdue = this.#tellWhenOverdue();
    try {
      const ofServices = [...ended.map((host) => stopService(incarnation, host)), beatServices(incarnation)];
      const done = await store.apply([beatProcess(incarnation), ...ofServices]).catch((error: unknown) => {
        if (!(error instanceof RowCountMismatch) || this.#replaced) throw error;
        // the row was purged although the process lives: a long pause, in which a newer run may have taken its services over
        return store.apply([putProcess(process), ...ofServices]);
      });
      const beaten = done.at(-1);
      for (const host of ended) this.#ended.delete(host);
      this.#writtenAt = begun;
      if (wasSilent) onTrouble?.(undefined);
      if (beaten && beaten.rows < count && !this.#replaced) {
        this.#replaced = true;
        onReplaced?.();
      }
    } catch (error) {
      onTrouble?.(error);
    } finally {
      clearTimeout(overdue);
    }
  }

  /** A database that hangs fails no heartbeat before its own limit: the owner must be told before that. */
  #tellWhenOverdue(): NodeJS.Timeout | undefined {
    const { maxSilentMs, onTrouble } = this.#options;
    // not where every heartbeat would come too late, which the configuration warns of
    if (maxSilentMs === undefined || maxSilentMs <= this.#intervalMs) return undefined;
    const leftMs = Math.max(0, maxSilentMs - this.silentMs);
    return setTimeout(() => onTrouble?.(new Error('the database does not answer')), leftMs + 1);
  }

  async #register(): Promise<void> {
    const begun = this.#clock();
    const { store, process } = this.#options;
    const services = [...this.#services];
    const done = await store.apply([putProcess(process), ...services.map((service) => this.#row(service))]);
    services.forEach(({ host }, index) => this.#ids.set(host, idIn(done[index + 1])));
    this.#writtenAt = begun;
  }

  #row(service: PresentService): Step {
    const { process, newId } = this.#options;
    const { binary, rpcVersion, objectVersion, incarnation } = process;
    return putService({ ...service, id: newId(), binary, rpcVersion, objectVersion, incarnation });
  }

  get #intervalMs(): number {
    return this.#options.reportIntervalMs ?? 10_000;
  }
}

function idIn(done: Done | undefined): string {
  const id = done?.returned[0]?.['id'];
  if (typeof id !== 'string') throw new Error('the store did not return the id of a service');
  return id;
}
