import type { Redis } from 'ioredis';
import { clientOf } from './client.js';
import type { Access, Endpoint } from './endpoint.js';

const MAX_BACK_OFF_MS = 5_000;
const PATIENCE_MS = 2_000;

/**
 * Listens to Sentinels for a new primary. Without it a client that still reaches the former primary, e.g. beside it behind
 * a partition, would go on to ask that one.
 */
export class SentinelWatch {
  readonly #clients: readonly Redis[];

  /** `onSwitch` is called at each change of the primary, once for each Sentinel that tells it. */
  constructor(endpoint: Extract<Endpoint, { sentinels: unknown }>, { tls }: Access, onSwitch: () => void) {
    const { sentinels, masterName, sentinelAuth } = endpoint;
    this.#clients = sentinels.map((address) => {
      const access = { ...(sentinelAuth && { auth: sentinelAuth }), ...(tls && { tls }) };
      const client = clientOf(address, access, {
        maxRetriesPerRequest: 0,
        connectTimeout: PATIENCE_MS,
        keepAlive: PATIENCE_MS,
        autoResubscribe: false,
        retryStrategy: (attempt) => Math.min(100 * 2 ** Math.min(attempt, 10), MAX_BACK_OFF_MS),
      });
      client.on('error', () => undefined); // a Sentinel may be away; the connection to the primary says what matters
      client.on('ready', () => void client.subscribe('+switch-master').catch(() => undefined));
      client.on('message', (_channel: string, message: string) => {
        if (message.startsWith(`${masterName} `)) onSwitch();
      });
      return client;
    });
  }

  close(): void {
    for (const client of this.#clients) client.disconnect();
  }
}
