import { readFile } from 'node:fs/promises';
import test from 'ava';
import { type Installation, installationFor } from '../support/installation.js';

const LISTEN = '0A';
const TIME_WAIT = '06';

test('services of one process make and delete volumes without a connection to themselves', async (t) => {
  const installation = await installationFor(t);
  const ports = await Promise.all(['scheduler', 'volume'].map((service) => portOf(installation, service)));
  // whoever had one of these ports before us
  const former = (await socketsAt(ports)).filter(({ state }) => state === TIME_WAIT).map(({ ends }) => ends);
  const client = installation.client();
  const { id } = await client.create();
  await client.available(id);
  await client.delete(id);
  await client.gone(id);
  const sockets = (await socketsAt(ports)).filter(({ ends }) => !former.includes(ends));
  t.deepEqual(
    sockets.map(({ state }) => state),
    [LISTEN, LISTEN],
    'both still listen, for whoever is elsewhere',
  );
});

async function portOf({ process }: Installation, service: string): Promise<number> {
  const [, port] = await process.wrote(new RegExp(`"service":"${service}","address":"127\\.0\\.0\\.1:(\\d+)"`));
  return Number(port);
}

interface Socket {
  readonly ends: string;
  readonly state: string;
}

/** Every TCP socket that has one of the ports on either side, also one that was closed in the last minute. Rule: proc_net_tcp(5). */
async function socketsAt(ports: readonly number[]): Promise<Socket[]> {
  const lines = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [, local = '', remote = '', state = ''] = line.trim().split(/\s+/);
    const isOurs = [local, remote].some((address) => ports.includes(parseInt(address.split(':')[1] ?? '', 16)));
    return isOurs ? [{ ends: `${local} ${remote}`, state }] : [];
  });
}
