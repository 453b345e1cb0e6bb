import type { Over } from '../errors/catalogue.js';
import { loadScript } from '../redis/script.js';

/** What became of a reservation. `reserved` and `held` are alive, the others final; `unknown`: nothing is known of it. */
export type Word = 'reserved' | 'held' | 'committed' | 'rolledback' | 'revoked' | 'expired' | 'released' | 'unknown';

/** Why a script did not decide. */
export type Refusal = { readonly why: 'rebuild' | 'again' } | { readonly why: 'corrupt'; readonly key: string };

/** What every ledger script answers: its decision or a refusal, and which sums had to be lifted to 0. */
export interface Reply<T> {
  readonly said: T | undefined;
  readonly refusal: Refusal | undefined;
  /** Field names of the sums, comma-separated; empty as long as the books are right. */
  readonly clamped: string;
}

export type ReserveReply =
  | { readonly answer: 'reserved'; readonly expiresAt: number }
  | { readonly answer: 'over' | 'overflow'; readonly over: readonly Over[] }
  | { readonly answer: 'settled'; readonly word: Word }
  | { readonly answer: 'differs' };

/** A live reservation. */
export interface Live {
  readonly id: string;
  /** ms, Redis's clock; 0: a hold, which does not expire. */
  readonly expiresAt: number;
  readonly deltas: readonly (readonly [resource: string, amount: number])[];
}

export type BeginReply = { readonly answer: 'begun' | 'fresh' } | { readonly answer: 'busy'; readonly forMs: number };

const LEDGER_KEYS = ['usage', 'held', 'deadlines', 'pinned'] as const;
const RESERVATION_KEYS = [...LEDGER_KEYS, 'tombstone'] as const;
const LEDGER_ARGS = ['tombstones', 'keep'] as const;

/** Loads the scripts of `scripts/redis/quota`. Throws when a header does not agree with its use here. */
export function loadQuotaScripts() {
  const prelude = file('ledger');
  const reservation = (name: string) =>
    loadScript({ file: file(name), prelude, keys: RESERVATION_KEYS, args: [...LEDGER_ARGS, 'id'], decode: word });
  return {
    reserve: loadScript({
      file: file('reserve'),
      prelude,
      keys: RESERVATION_KEYS,
      args: [...LEDGER_ARGS, 'id', 'ttl', 'deltas', 'limits'],
      decode: ledger(decodeReserve),
    }),
    commit: reservation('commit'),
    rollback: reservation('rollback'),
    hold: reservation('hold'),
    revoke: loadScript({
      file: file('revoke'),
      prelude,
      keys: RESERVATION_KEYS,
      args: [...LEDGER_ARGS, 'id', 'deltas'],
      decode: word,
    }),
    release: loadScript({
      file: file('release'),
      prelude,
      keys: RESERVATION_KEYS,
      args: [...LEDGER_ARGS, 'deltas', 'until'],
      decode: ledger((said) => said as Word | 'late'),
    }),
    usage: loadScript({
      file: file('usage'),
      prelude,
      keys: LEDGER_KEYS,
      args: [...LEDGER_ARGS, 'resources'],
      decode: ledger((_word, json) => JSON.parse(json) as readonly (readonly [inUse: number, reserved: number])[]),
    }),
    list: loadScript({
      file: file('list'),
      prelude,
      keys: LEDGER_KEYS,
      args: [...LEDGER_ARGS, 'count'],
      decode: ledger((_word, json) => (JSON.parse(json) as LiveRow[]).map(toLive)),
    }),
    rebuildBegin: loadScript({
      file: file('rebuild_begin'),
      keys: ['usage'],
      args: ['owner', 'lease', 'force'],
      decode: decodeBegin,
    }),
    rebuildEnd: loadScript({
      file: file('rebuild_end'),
      keys: LEDGER_KEYS,
      args: [...LEDGER_ARGS, 'owner', 'sums', 'holds', 'settled'],
      decode: (reply) => (reply as [string])[0] as 'done' | 'lost',
    }),
  };
}

export type QuotaScripts = ReturnType<typeof loadQuotaScripts>;

/** The keys of a project: all in one hash slot. */
export function keysOf(projectId: string) {
  const slot = `{${projectId}}`;
  return {
    usage: `${slot}:u`,
    held: `${slot}:h`,
    deadlines: `${slot}:d`,
    pinned: `${slot}:p`,
    tombstones: `${slot}:t:`,
  };
}

type LiveRow = [id: string, expiresAt: number, deltas: [string, number][]];
type OverRow = [resource: string, limit: number, inUse: number, reserved: number, asked: number];

const word = ledger((said) => said as Word);

/** Two levels up from both `src/quota` and `dist/quota`. */
function file(name: string): URL {
  return new URL(`../../scripts/redis/quota/${name}.lua`, import.meta.url);
}

function ledger<T>(decode: (word: string, value: string) => T): (reply: unknown) => Reply<T> {
  return (reply) => {
    const [said, clamped, value = ''] = reply as [string, string, string?];
    const refusal = refusalOf(said, value);
    return { said: refusal ? undefined : decode(said, value), refusal, clamped };
  };
}

function refusalOf(said: string, value: string): Refusal | undefined {
  if (said === 'rebuild' || said === 'again') return { why: said };
  return said === 'corrupt' ? { why: 'corrupt', key: value } : undefined;
}

function decodeReserve(said: string, value: string): ReserveReply {
  switch (said) {
    case 'reserved':
      return { answer: said, expiresAt: Number(value) };
    case 'over':
    case 'overflow':
      return { answer: said, over: (JSON.parse(value) as OverRow[]).map(toOver) };
    case 'settled':
      return { answer: said, word: value as Word };
    default:
      return { answer: 'differs' };
  }
}

function decodeBegin(reply: unknown): BeginReply {
  const [answer, forMs = 0] = reply as ['begun' | 'busy' | 'fresh', number?];
  return answer === 'busy' ? { answer, forMs } : { answer };
}

function toOver([resource, limit, inUse, reserved, asked]: OverRow): Over {
  return { resource, limit, inUse, reserved, asked };
}

function toLive([id, expiresAt, deltas]: LiveRow): Live {
  return { id, expiresAt, deltas };
}
