import { connect as openSocket, type NetConnectOpts, type Socket } from 'node:net';
import { connect as openTlsSocket } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { type Deadline, deadlineIn, pause, within } from '../time/deadline.js';
import type { Access, Address, Endpoint } from './endpoint.js';

const DISCONNECT_TIMEOUT_MS = 2_000;
const SENTINEL_PATIENCE_MS = 2_000;
/** How long the other Sentinels are waited for when one has answered. */
const OTHERS_PATIENCE_MS = 300;
/** Between two rounds of asking Sentinels that do not answer. */
const SENTINELS_AGAIN_MS = 500;

/** A client that connects to an endpoint, under manners of its own. */
export function clientOf(endpoint: Endpoint, access: Access, manners: RedisOptions): Redis {
  const { auth, tls } = access;
  return new Redis({
    // its own ready check knows less than ours, and would wait where we want to know
    ...{ enableReadyCheck: false, enableOfflineQueue: false, disableClientInfo: true },
    ...(auth?.username !== undefined && { username: auth.username }),
    ...(auth?.password !== undefined && { password: auth.password }),
    ...('db' in endpoint && { db: endpoint.db }),
    ...(tls && !('socket' in endpoint) && { tls: {} }), // it waits for the handshake; ours is the socket
    ...manners,
    Connector: connectorTo(endpoint, access),
    replyMapping: 'legacy',
  });
}

/** Asks a server one thing, over a connection of this moment. Throws what the server or the connection says, or at the deadline. */
export async function askOnce<T>(
  address: Address,
  access: Access,
  question: (client: Redis) => Promise<T>,
  deadline: Deadline,
): Promise<T> {
  const client = clientOf(address, access, { lazyConnect: true, retryStrategy: null });
  // a connection that is not let in says so at once, and is long in closing
  const failed = new Promise<never>((_resolve, reject) => client.on('error', reject));
  const asked = client.connect().then(async () => ({ answer: await question(client) }));
  try {
    const answered = await within(Promise.race([asked, failed]), deadline);
    if (answered) return answered.answer;
  } finally {
    client.disconnect();
  }
  throw new Error('no answer in time');
}

function connectorTo(endpoint: Endpoint, { tls }: Access) {
  return class extends AbstractConnector {
    constructor() {
      super(DISCONNECT_TIMEOUT_MS);
    }

    override async connect(tell: Tell): Promise<Socket> {
      this.connecting = true;
      let place = await placeOf(endpoint, { ...(tls && { tls }) }, tell);
      // what is thrown here ends the client for good: so it asks again until it is closed
      while (!place && this.#isWanted()) {
        await pause(SENTINELS_AGAIN_MS, { at: Infinity });
        place = await placeOf(endpoint, { ...(tls && { tls }) }, tell);
      }
      if (!place || !this.#isWanted()) throw new Error('the connection was closed');
      const isSecure = tls !== undefined && !('path' in place);
      const socket = isSecure ? openTlsSocket({ ...place, ...tlsOptions(tls) }) : openSocket(place);
      // a socket may fail twice, by a write and by an alert, but the client listens once: the second would end the process
      socket.on('error', (error: Error) => {
        this.firstError ??= error;
      });
      this.stream = socket;
      return socket;
    }

    #isWanted(): boolean {
      return this.connecting;
    }
  };
}

type Tell = (type: string, error: Error) => void;

/** Undefined: nobody knows at the moment. */
async function placeOf(endpoint: Endpoint, access: Access, tell: Tell): Promise<NetConnectOpts | undefined> {
  if ('socket' in endpoint) return { path: endpoint.socket };
  if (!('sentinels' in endpoint)) return { host: endpoint.host, port: endpoint.port };
  const { sentinels, masterName, sentinelAuth } = endpoint;
  const asked = sentinels.map((sentinel) =>
    primaryBy(sentinel, { ...access, ...(sentinelAuth && { auth: sentinelAuth }) }, masterName),
  );
  try {
    await Promise.any(asked);
  } catch (error) {
    for (const each of (error as AggregateError).errors) tell('error', each as Error);
    return undefined;
  }
  const deadline = deadlineIn(OTHERS_PATIENCE_MS);
  const answers = await Promise.allSettled(asked.map((each) => within(each, deadline)));
  const known = answers.flatMap((each) => (each.status === 'fulfilled' && each.value ? [each.value] : []));
  // one behind a partition still names the former primary, with a smaller epoch
  return known.sort((a, b) => b.configEpoch - a.configEpoch)[0]?.address;
}

/** Throws an Error that names the Sentinel. */
async function primaryBy(sentinel: Address, access: Access, masterName: string) {
  try {
    const question = (client: Redis): Promise<unknown> => client.call('SENTINEL', 'MASTER', masterName);
    const reply = (await askOnce(sentinel, access, question, deadlineIn(SENTINEL_PATIENCE_MS))) as readonly string[];
    const field = (name: string): string => reply[reply.indexOf(name) + 1] ?? '';
    return {
      address: { host: field('ip'), port: Number(field('port')) },
      configEpoch: Number(field('config-epoch')),
    };
  } catch (error) {
    const name = `Sentinel ${sentinel.host}:${sentinel.port}`;
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

function tlsOptions(read: NonNullable<Access['tls']>) {
  const { serverName, ...material } = read();
  return { minVersion: 'TLSv1.2' as const, ...material, ...(serverName !== undefined && { servername: serverName }) };
}
