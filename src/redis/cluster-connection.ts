import { type Deadline, deadlineIn, isOver, pause, within } from '../time/deadline.js';
import { askOnce } from './client.js';
import { anyKeyOf, attemptUntilAnswered, NoAnswer, type RedisConnection, TryAgain } from './connection.js';
import { type Access, type Address, addressOf, nameOf } from './endpoint.js';
import type { Incarnation } from './incarnation.js';
import type { Script, ScriptArgs } from './script.js';
import { type ConnectionOptions, ServerConnection } from './server-connection.js';
import { slotOf } from './slot.js';
import { type NodeView, ownersBySlot, viewOf } from './topology.js';

/** Replies of a node that does not own a slot any more, or that does not know who owns what. */
const NOT_THE_OWNER = /^(MOVED|CLUSTERDOWN)\b/;
const LOOK_AGAIN_MS = 50;
/** Between two rounds of asking nodes that do not answer. */
const LOST_PAUSE_MS = 200;
const PATROL_MS = 1_000;
/** How long nodes are waited for that are slower to say what they know. */
const VIEW_PATIENCE_MS = 500;
/** How long a node may take that there is no connection to yet. */
const SCOUT_PATIENCE_MS = 2_000;

/**
 * A cluster: a connection to each primary, and which of them owns which slot. Redirections are not followed: a call that
 * reaches the wrong node has done nothing, and is repeated under the incarnation of the right one. Nor is `ASK`: a script
 * whose keys are partly absent cannot run on either side of a slot on its way, so it waits until the slot has arrived.
 */
export class ClusterConnection implements RedisConnection {
  readonly #seeds: readonly Address[];
  readonly #access: Access;
  readonly #options: ConnectionOptions;
  #nodes: ReadonlyMap<string, ServerConnection> = new Map();
  #slots: readonly (ServerConnection | undefined)[] = [];
  /** Nodes of the last views, to be asked when no primary answers. */
  #known: readonly Address[] = [];
  readonly #homes = new WeakMap<Incarnation, ServerConnection>();
  #looking: Promise<void> | undefined;
  /** Slots that a node has disowned since the last look. */
  #doubted = new Set<number>();
  /** Nodes that were asked in vain, and why. */
  readonly #silent = new Map<string, string>();
  readonly #closing = new AbortController();
  /** Looks for a way out of trouble also when nobody asks: who sees trouble may not ask at all. */
  readonly #patrol: NodeJS.Timeout;

  constructor(seeds: readonly Address[], access: Access, options: ConnectionOptions) {
    this.#seeds = seeds;
    this.#access = access;
    this.#options = options;
    this.#patrol = setInterval(() => {
      if (!this.usable) void this.look();
    }, PATROL_MS).unref();
  }

  get usable(): boolean {
    return this.trouble() === undefined;
  }

  trouble(key?: string): string | undefined {
    if (key !== undefined) return this.#troubleOf(slotOf(key));
    if (this.#slots.length === 0) {
      const [silent = ''] = [...this.#silent].map(([name, reason]) => `; ${name}: ${reason}`);
      return `no node of the cluster answers${silent}`;
    }
    for (const [name, node] of this.#nodes) {
      const trouble = node.trouble();
      if (trouble !== undefined) return `node ${name}: ${trouble}`;
    }
    const orphan = this.#slots.indexOf(undefined);
    return orphan < 0 ? undefined : this.#troubleOf(orphan);
  }

  /** What only an operator can mend at some node. */
  get hopeless(): string | undefined {
    const [found] = [...this.#nodes].filter(([, node]) => node.hopeless !== undefined);
    return found && `node ${found[0]}: ${found[1].hopeless ?? ''}`;
  }

  async incarnation(key: string, deadline: Deadline): Promise<Incarnation> {
    const slot = slotOf(key);
    for (;;) {
      const node = this.#slots[slot];
      const incarnation = this.#doubted.has(slot) ? undefined : node?.current;
      if (node && incarnation) {
        this.#homes.set(incarnation, node);
        return incarnation;
      }
      if (this.#closing.signal.aborted || isOver(deadline))
        throw new NoAnswer(node?.refusal ?? 'no connection to the Redis node of this key');
      await within(this.look(), deadline);
      if (!this.#slots[slot]?.current) await pause(LOOK_AGAIN_MS, deadline);
    }
  }

  async attempt<K extends string, A extends string, R>(
    incarnation: Incarnation,
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: ScriptArgs<A>,
    deadline: Deadline,
  ): Promise<R> {
    const node = this.#homes.get(incarnation);
    if (!node) throw new TryAgain('the incarnation is of another connection');
    try {
      return await node.attempt(incarnation, script, keys, args, deadline);
    } catch (error) {
      if (error instanceof TryAgain && NOT_THE_OWNER.test(error.message)) this.#doubted.add(slotOf(anyKeyOf(keys)));
      throw error;
    }
  }

  async run<K extends string, A extends string, R>(
    script: Script<K, A, R>,
    keys: Readonly<Record<K, string>>,
    args: ScriptArgs<A>,
    deadline: Deadline,
  ): Promise<R> {
    return attemptUntilAnswered(this, script, keys, args, deadline);
  }

  async ping(): Promise<void> {
    if (!this.usable) await this.look();
    await Promise.all([...this.#nodes.values()].map((node) => node.ping()));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#patrol);
    await this.#looking;
    await Promise.all([...this.#nodes.values()].map((node) => node.close()));
  }

  /** Learns who owns what, once at a time. Never throws: what is wrong shows in `trouble`. */
  async look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(): Promise<void> {
    const doubted = this.#doubted;
    this.#doubted = new Set(); // what is disowned from here on may be newer than the views
    let views = await this.#viewsOfPrimaries();
    if (views.length === 0) views = await this.#viewsOfStrangers();
    if (views.length === 0 || this.#closing.signal.aborted) {
      for (const slot of doubted) this.#doubted.add(slot);
      await pause(LOST_PAUSE_MS, { at: Infinity, signal: this.#closing.signal });
      return;
    }
    this.#known = views.flatMap(({ nodes }) => nodes);
    const owners = ownersBySlot(views);
    const nodes = new Map<string, ServerConnection>();
    const connectionTo = (address: Address): ServerConnection => {
      const name = nameOf(address);
      let node = nodes.get(name);
      if (!node) {
        node = this.#nodes.get(name) ?? new ServerConnection(address, this.#access, this.#options, 'cluster');
        nodes.set(name, node);
      }
      return node;
    };
    this.#slots = owners.map((owner) => owner && connectionTo(owner));
    const former = this.#nodes;
    this.#nodes = nodes;
    for (const [name, node] of former) {
      if (!nodes.has(name)) void node.close();
    }
  }

  /** Those that answer soon; one that hangs is not waited for. */
  async #viewsOfPrimaries(): Promise<NodeView[]> {
    const deadline = deadlineIn(VIEW_PATIENCE_MS, this.#closing.signal);
    const ready = [...this.#nodes].filter(([, { client }]) => client.status === 'ready');
    return answers(ready.map(([name, { client }]) => within(viewOf(client, addressOf(name)), deadline)));
  }

  async #viewsOfStrangers(): Promise<NodeView[]> {
    const addresses = new Map([...this.#seeds, ...this.#known].map((address) => [nameOf(address), address]));
    return answers([...addresses.values()].map((address) => this.#scout(address)));
  }

  /** Asks a node over a connection of this moment. */
  async #scout(address: Address): Promise<NodeView | undefined> {
    const deadline = deadlineIn(SCOUT_PATIENCE_MS, this.#closing.signal);
    try {
      const view = await askOnce(address, this.#access, (client) => viewOf(client, address), deadline);
      this.#silent.delete(nameOf(address));
      return view;
    } catch (error) {
      this.#isSilent(nameOf(address), (error as Error).message);
      return undefined;
    }
  }

  #isSilent(node: string, reason: string): void {
    if (this.#silent.get(node) !== reason) this.#options.log.warn('redis node cannot be asked', { node, reason });
    this.#silent.set(node, reason);
  }

  #troubleOf(slot: number): string | undefined {
    const node = this.#slots[slot];
    return node ? node.trouble() : `no node owns slot ${slot}`;
  }
}

async function answers(asked: readonly Promise<NodeView | undefined>[]): Promise<NodeView[]> {
  const settled = await Promise.allSettled(asked);
  return settled.flatMap((each) => (each.status === 'fulfilled' && each.value ? [each.value] : []));
}
