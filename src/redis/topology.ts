import type { Redis } from 'ioredis';
import { type Address, addressOf } from './endpoint.js';
import { SLOT_COUNT } from './slot.js';

/** What one node knows of who owns which slots. */
export interface NodeView {
  readonly owners: readonly SlotOwner[];
  /** Every node that can be asked, replicas included. */
  readonly nodes: readonly Address[];
}

/** A primary and its slots. */
export interface SlotOwner {
  readonly address: Address;
  /** Grows with each failover and each slot that is moved: of two who claim a slot the larger is right. */
  readonly configEpoch: number;
  /** First and last, both included. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

/** Asks a node. Throws its error. */
export async function viewOf(client: Redis, asked: Address): Promise<NodeView> {
  return readView((await client.cluster('NODES')) as string, asked);
}

/** Reads the reply of `CLUSTER NODES`; a node that does not know its own address is the one that was asked. */
export function readView(reply: string, asked: Address): NodeView {
  const lines = reply
    .split('\n')
    .map((line) => line.trim().split(' '))
    .filter(([, , flags = 'noaddr']) => !/noaddr|handshake/.test(flags));
  const parsed = lines.map(([, endpoint = '', , , , , epoch, , ...slots]) => {
    const known = addressOf(endpoint.replace(/[@,].*$/, ''));
    return {
      address: known.host === '' ? { ...known, host: asked.host } : known,
      configEpoch: Number(epoch),
      ranges: slots.filter((slot) => !slot.startsWith('[')).map(rangeOf), // in brackets: on its way
    };
  });
  return {
    owners: parsed.filter(({ ranges }) => ranges.length > 0),
    nodes: parsed.map(({ address }) => address),
  };
}

/**
 * Who owns each slot, by the nodes' views together: a node behind a partition does not know that its slots have gone, and
 * whoever was elected since claims them with a larger epoch. Rule: Redis Cluster specification, "hash slots configuration".
 */
export function ownersBySlot(views: readonly NodeView[]): readonly (Address | undefined)[] {
  const bySlot = Array.from<SlotOwner | undefined>({ length: SLOT_COUNT });
  for (const owner of views.flatMap(({ owners }) => owners)) {
    for (const [first, last] of owner.ranges) {
      for (let slot = first; slot <= last; slot += 1) {
        const other = bySlot[slot];
        if (!other || owner.configEpoch > other.configEpoch) bySlot[slot] = owner;
      }
    }
  }
  return bySlot.map((owner) => owner?.address);
}

function rangeOf(text: string): [number, number] {
  const [first, last = first] = text.split('-').map(Number);
  return [first ?? 0, last ?? 0];
}
