import { setTimeout as pause } from 'node:timers/promises';
import { type CinderClient, connect, isCinderError } from '#src/client/index.js';
import type { Lifetime } from '../../support/lifetime.js';
import type { Seeded } from '../../support/seeded.js';
import { type Creation, type Ending, Ledger } from './ledger.js';

export interface LoadOptions {
  /** gRPC target of the APIs. */
  readonly address: string;
  readonly random: Seeded;
  /** Callers at the same time. @default 6 */
  readonly callers?: number;
  /** Live volumes that a project is kept at. @default 12 */
  readonly volumesPerProject?: number;
  /** Between two calls of a caller, ms. @default 30 */
  readonly pauseMs?: number;
  /** Called beside the requests that change something. @default nothing */
  readonly alsoDo?: (client: CinderClient, projectId: string) => Promise<unknown>;
}

/** A project whose quota is soon used up, so that some requests are refused. */
const SCARCE = 'scarce';
const SCARCE_VOLUMES = 4;
export const PROJECTS = ['first', 'second', SCARCE];
const CALL_TIMEOUT_MS = 8_000;

/** The errors that a request may end with although it was carried out. */
const IN_DOUBT = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'ABORTED', 'CANCELLED', 'INTERNAL', 'UNKNOWN']);

/** Clients that create, clone and delete volumes through the published client, and keep a ledger of what they are answered. */
export class Load {
  readonly ledger = new Ledger();
  readonly #options: Required<LoadOptions>;
  readonly #clients: ReadonlyMap<string, CinderClient>;
  #running: Promise<unknown> = Promise.resolve();
  #isOn = false;
  #asked = 0;
  #answered = 0;

  constructor(t: Lifetime, options: LoadOptions) {
    const { address } = options;
    this.#options = { callers: 6, volumesPerProject: 12, pauseMs: 30, alsoDo: () => Promise.resolve(), ...options };
    this.#clients = new Map(
      PROJECTS.map((project) => [project, connect({ address, project, timeoutMs: CALL_TIMEOUT_MS })]),
    );
    t.teardown(() => this.#clients.forEach((client) => client.close()));
  }

  /** Calls that were answered, whatever the answer. */
  get answered(): number {
    return this.#answered;
  }

  /** Gives the scarce project its little quota. */
  async prepare(admin: CinderClient): Promise<void> {
    await admin.quotas.updateQuotaSet({ projectId: SCARCE, limits: new Map([['volumes', SCARCE_VOLUMES]]) });
  }

  /** The callers begin. */
  start(): void {
    this.#isOn = true;
    this.#running = Promise.all(Array.from({ length: this.#options.callers }, (_, index) => this.#call(index)));
  }

  /** The callers end; answers when the last call was answered. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#running;
  }

  /**
   * Repeats, with its key, every request of which nobody knows how it ended, as the service advises; what it ends with now
   * is what counts.
   */
  async settleDoubts(): Promise<void> {
    for (const creation of this.ledger.creations) {
      if (creation.ending === 'in doubt') await this.#create(creation);
      if (creation.deletion === 'in doubt') await this.#delete(creation);
    }
  }

  async #call(index: number): Promise<void> {
    const { random, volumesPerProject, pauseMs, alsoDo } = this.#options;
    const projectId = PROJECTS[index % PROJECTS.length] ?? SCARCE;
    while (this.#isOn) {
      const live = this.ledger.live(projectId);
      const limit = projectId === SCARCE ? SCARCE_VOLUMES + 1 : volumesPerProject;
      if (live.length > 0 && random.next() < live.length / (2 * limit)) await this.#delete(random.pick(live));
      else await this.#createOne(projectId, live);
      await alsoDo(this.#clientOf(projectId), projectId).catch((error: unknown) => {
        this.ledger.oddities.push(`beside the changes: ${String(error)}`);
      });
      await pause(pauseMs);
    }
  }

  async #createOne(projectId: string, live: readonly Creation[]): Promise<void> {
    const { random } = this.#options;
    this.#asked += 1;
    const source = live.length > 0 && random.next() < 0.3 ? random.pick(live) : undefined;
    const creation: Creation = {
      projectId,
      name: `volume-${this.#asked}`,
      idempotencyKey: `key-${this.#asked}`,
      sourceVolumeId: source?.id,
      ...{ ending: undefined, id: '', deletion: undefined, why: '' },
    };
    this.ledger.creations.push(creation);
    await this.#create(creation);
  }

  async #create(creation: Creation): Promise<void> {
    const { projectId, name, idempotencyKey, sourceVolumeId } = creation;
    const [ending, why] = await this.#asks(async () => {
      const { volume } = await this.#clientOf(projectId).volumes.createVolume({
        ...{ name, size: 1, idempotencyKey },
        ...(sourceVolumeId !== undefined && { sourceVolumeId }),
      });
      creation.id = volume?.id ?? '';
    });
    Object.assign(creation, { ending, why });
  }

  async #delete(creation: Creation): Promise<void> {
    creation.deletion = 'asked';
    const idempotencyKey = `delete-${creation.name}`;
    const [ending, why] = await this.#asks(() =>
      this.#clientOf(creation.projectId).volumes.deleteVolume({ volumeId: creation.id, idempotencyKey }),
    );
    // one that was refused, e.g. while the volume is still made, may be asked for again
    creation.deletion = ending === 'refused' ? undefined : ending;
    creation.why = why;
  }

  async #asks(ask: () => Promise<unknown>): Promise<readonly [ending: Ending, why: string]> {
    try {
      await ask();
      return ['accepted', ''];
    } catch (error) {
      if (!isCinderError(error)) throw error;
      // without a reason it is the transport's own: a connection that was cut
      if (error.code === 'INTERNAL' && error.reason !== '') this.ledger.oddities.push(error.message);
      return [IN_DOUBT.has(error.code) ? 'in doubt' : 'refused', `${error.code} ${error.reason} ${error.message}`];
    } finally {
      this.#answered += 1;
    }
  }

  #clientOf(projectId: string): CinderClient {
    const client = this.#clients.get(projectId);
    if (!client) throw new Error(`no client of ${projectId}`);
    return client;
  }
}
