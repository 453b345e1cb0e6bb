import type { Over } from '../errors/catalogue.js';
import { loadScript } from '../redis/script.js';
import { decodeAmounts } from './amounts-text.js';
import { longId } from './short-id.js';

/** What became of a reservation. `reserved` and `held` are alive, the others final; `unknown`: nothing is known of it. */
export type Word = 'reserved' | 'held' | 'committed' | 'rolledback' | 'revoked' | 'expired' | 'released' | 'unknown';

/** Why a script did not decide: the sums are another incarnation's; or more is due than one call gives back. */
export type Refusal = 'rebuild' | 'again';

/** What every ledger script answers: its decision or a refusal, and which sums had to be lifted to 0. */
export interface Reply<T> {
  readonly said: T | undefined;
  readonly refusal: Refusal | undefined;
  /** Which, e.g. `volumes in use,volumes reserved`; empty as long as the books are right. */
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
  /** Who made it, as given to `reserve`; empty: nobody said. */
  readonly note: string;
}

export type BeginReply = { readonly answer: 'begun' | 'fresh' } | { readonly answer: 'busy'; readonly forMs: number };

/** A page of reservations or holds, with the sums that stand for them. `lost`: the lease is over. */
export type AuditPage =
  | { readonly answer: 'page'; readonly cursor: string; readonly entries: readonly AuditEntry[] }
  | { readonly answer: 'corrupt'; readonly key: string }
  | { readonly answer: 'lost' };

/** One field of a book as it stands there. */
export interface AuditEntry {
  readonly field: string;
  readonly value: string;
  /** ms, Redis's clock. */
  readonly deadline: number | undefined;
}

/** Amounts in use and words as they stand there. */
export type AuditEnd =
  | {
      readonly answer: 'done';
      readonly sums: readonly (readonly [resource: string, amount: string])[];
      /** In the order of the ids; empty: none. */
      readonly words: readonly string[];
    }
  | { readonly answer: 'lost' };

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
      args: [...LEDGER_ARGS, 'id', 'ttl', 'text', 'asked'],
      decode: ledger(decodeReserve),
    }),
    commit: reservation('commit'),
    rollback: reservation('rollback'),
    hold: reservation('hold'),
    revoke: loadScript({
      file: file('revoke'),
      prelude,
      keys: RESERVATION_KEYS,
      args: [...LEDGER_ARGS, 'id', 'text'],
      decode: word,
    }),
    release: loadScript({
      file: file('release'),
      prelude,
      keys: RESERVATION_KEYS,
      args: [...LEDGER_ARGS, 'text', 'until'],
      decode: ledger((said) => said as Word | 'late'),
    }),
    usage: loadScript({
      file: file('usage'),
      prelude,
      keys: LEDGER_KEYS,
      args: [...LEDGER_ARGS, 'fields'],
      decode: ledger((_word, rows) => rows as readonly (readonly [inUse: number, reserved: number])[]),
    }),
    list: loadScript({
      file: file('list'),
      prelude,
      keys: LEDGER_KEYS,
      args: [...LEDGER_ARGS, 'count'],
      decode: ledger((_word, rows) => (rows as LiveRow[]).map(toLive)),
    }),
    rebuildBegin: loadScript({
      file: file('rebuild_begin'),
      keys: ['usage'],
      args: ['owner', 'lease', 'force'],
      decode: decodeBegin,
    }),
    rebuildEnd: loadScript({
      file: file('rebuild_end'),
      prelude,
      keys: LEDGER_KEYS,
      args: [...LEDGER_ARGS, 'owner', 'sums', 'holds', 'settled'],
      decode: (reply) => (reply as [string])[0] as 'done' | 'lost',
    }),
    auditBegin: loadScript({
      file: file('audit_begin'),
      keys: ['usage'],
      args: ['owner', 'lease', 'rest'],
      decode: (reply) => (reply as [string])[0] as 'begun' | 'busy' | 'unloaded',
    }),
    auditRead: loadScript({
      file: file('audit_read'),
      keys: ['usage', 'book', 'deadlines'],
      args: ['owner', 'lease', 'cursor'],
      decode: decodeAuditPage,
    }),
    auditEnd: loadScript({
      file: file('audit_end'),
      keys: ['usage'],
      args: ['tombstones', 'owner', 'ids'],
      decode: decodeAuditEnd,
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

/** A resource's field in the hashes of sums. */
export const fieldOf = (resource: string): string => `i:${resource}`;

/** The server's complaint about a key that no script would have left so; undefined: the error is another. */
export function corruptionIn(error: unknown): string | undefined {
  return error instanceof Error && /^(WRONGTYPE|CORRUPT) /.test(error.message) ? error.message : undefined;
}

type LiveRow = [id: string, expiresAt: string, text: string];
type OverRow = [field: string, limit: number, inUse: number, reserved: number, asked: number];

const word = ledger((said) => said as Word);

/** Two levels up from both `src/quota` and `dist/quota`. */
function file(name: string): URL {
  return new URL(`../../scripts/redis/quota/${name}.lua`, import.meta.url);
}

function ledger<T>(decode: (word: string, value: unknown) => T): (reply: unknown) => Reply<T> {
  return (reply) => {
    const [said, clamped, value] = reply as [string, string, unknown];
    const refusal = said === 'rebuild' || said === 'again' ? said : undefined;
    return { said: refusal ? undefined : decode(said, value), refusal, clamped };
  };
}

function decodeReserve(said: string, value: unknown): ReserveReply {
  switch (said) {
    case 'reserved':
      return { answer: said, expiresAt: Number(value) };
    case 'over':
    case 'overflow':
      return { answer: said, over: (value as OverRow[]).map(toOver) };
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

function decodeAuditPage(reply: unknown): AuditPage {
  const [answer, value = '', flat = []] = reply as ['page' | 'corrupt' | 'lost', string?, string[]?];
  if (answer === 'lost') return { answer };
  if (answer === 'corrupt') return { answer, key: value };
  const entries = tuples(flat, 3).map(([field = '', text = '', deadline = '']) => ({
    ...{ field, value: text },
    deadline: deadline === '' ? undefined : Number(deadline),
  }));
  return { answer, cursor: value, entries };
}

function decodeAuditEnd(reply: unknown): AuditEnd {
  const [answer, sums = [], words = []] = reply as ['done' | 'lost', string[]?, string[]?];
  if (answer === 'lost') return { answer };
  return { answer, sums: tuples(sums, 2).map(([resource = '', amount = '']) => [resource, amount]), words };
}

/** A flat list, `size` at a time. */
function tuples(flat: readonly string[], size: number): readonly (readonly string[])[] {
  return Array.from({ length: flat.length / size }, (_, i) => flat.slice(i * size, (i + 1) * size));
}

function toOver([field, limit, inUse, reserved, asked]: OverRow): Over {
  return { resource: field.slice(fieldOf('').length), limit, inUse, reserved, asked };
}

function toLive([id, expiresAt, text]: LiveRow): Live {
  return { id: longId(id), expiresAt: Number(expiresAt), ...decodeAmounts(text) };
}
