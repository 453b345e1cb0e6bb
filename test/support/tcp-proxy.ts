import { createServer, type NetConnectOpts, type Server, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Lifetime } from './lifetime.js';

/** A TCP proxy that stands between a process and what it talks to, and can be a bad network. */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: () => NetConnectOpts;
  readonly #pairs = new Set<Pair>();
  #delayMs = 0;
  #isHeld = false;
  #refuses = false;

  private constructor(target: () => NetConnectOpts) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: false }, (client) => this.#accept(client));
  }

  /** Listens on loopback. `target`: asked at each connection, so that it may change. */
  static async start(t: Lifetime, target: () => NetConnectOpts): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    t.teardown(() => proxy.close());
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that stand. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Breaks off every connection. */
  cut(): void {
    for (const pair of [...this.#pairs]) pair.end();
  }

  /** Everything arrives so much later, ms. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Nothing passes any more, and nobody is told: until `release`. */
  hold(): void {
    this.#isHeld = true;
    for (const pair of this.#pairs) pair.hold();
  }

  release(): void {
    this.#isHeld = false;
    for (const pair of this.#pairs) pair.release();
  }

  /** Whether new connections are broken off. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
  }

  /** A good network again. */
  heal(): void {
    this.#refuses = false;
    this.#delayMs = 0;
    this.release();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#refuses) {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const pair = new Pair(client, connect(this.#target()), () => this.#delayMs);
    this.#pairs.add(pair);
    pair.ended.then(
      () => this.#pairs.delete(pair),
      () => undefined,
    );
    if (this.#isHeld) pair.hold();
  }
}

/** Two sockets, and what one says to the other. */
class Pair {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly ended: Promise<void>;

  constructor(client: Socket, server: Socket, delayMs: () => number) {
    [this.#client, this.#server] = [client, server];
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined); // seen by 'close'
    }
    const ways = [carry(client, server, delayMs), carry(server, client, delayMs)];
    this.ended = Promise.race(ways).then(() => this.end());
  }

  end(): void {
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    this.#server.destroy(); // it may be a unix socket, which knows no reset
  }

  hold(): void {
    this.#client.pause();
    this.#server.pause();
  }

  release(): void {
    this.#client.resume();
    this.#server.resume();
  }
}

/** Carries what `from` says to `to`, in order; settles when `from` has ended and all was carried. */
async function carry(from: Socket, to: Socket, delayMs: () => number): Promise<void> {
  let last = Promise.resolve();
  from.on('data', (chunk: Buffer) => {
    const dueAt = performance.now() + delayMs();
    last = last.then(async () => {
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await pause(waitMs);
      if (!to.destroyed && !to.write(chunk) && !from.destroyed) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
  });
  await new Promise((resolve) => from.once('close', resolve));
  await last;
}
