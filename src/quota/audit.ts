import { randomUUID } from 'node:crypto';
import { countRecords, type ProjectRecords } from '../db/quota-sums.js';
import type { Store } from '../db/store.js';
import { NoAnswer, type RedisConnection, TryAgain } from '../redis/connection.js';
import type { Incarnation } from '../redis/incarnation.js';
import { type Deadline, deadlineIn, isOver, pause } from '../time/deadline.js';
import { decodeAmounts } from './amounts-text.js';
import { orUnavailable } from './or-unavailable.js';
import { type AuditPage, keysOf, type QuotaScripts, type Word } from './scripts.js';
import { longId, shortId } from './short-id.js';

/** What an audit works with. */
export interface AuditParts {
  readonly redis: RedisConnection;
  readonly scripts: QuotaScripts;
  readonly store: Store;
  /** For how long nobody else may decide without a sign of life from us, ms. @default 5000 */
  readonly leaseMs?: number;
}

/** A reservation or a hold, as it is kept. */
export interface Promised {
  readonly id: string;
  readonly deltas: readonly (readonly [resource: string, amount: number])[];
  /** Who made it: the id of a request; empty: not said. */
  readonly note: string;
  /** ms, Redis's clock; undefined: it has none, as a hold. */
  readonly expiresAt: number | undefined;
}

/** What is promised, and the sums that stand for it. */
export interface PromiseBook {
  readonly sums: ReadonlyMap<string, number>;
  readonly entries: readonly Promised[];
}

/** What the records and Redis say of a project at one moment, in which nobody decides anything. Resources by their keys. */
export interface Books {
  readonly records: ProjectRecords;
  readonly inUse: ReadonlyMap<string, number>;
  readonly held: PromiseBook;
  readonly pinned: PromiseBook;
  /** What became of the settlements that the records name; those that are alive or forgotten have none. */
  readonly words: ReadonlyMap<string, Word>;
}

/**
 * How an audit ended. `unloaded`: Redis has no sums of the project that anybody would believe; they are rebuilt before they are
 * used. `corrupt`: a key is not what a script wrote; likewise.
 */
export type Audited =
  | { readonly state: 'read'; readonly books: Books }
  | { readonly state: 'unloaded' }
  | { readonly state: 'corrupt'; readonly key: string };

const LOOK_AGAIN_MS = 20;
/** After a look, for those who waited: looks, however many, keep them from deciding for a small part of the time. */
const REST_MS = 100;
/** Fields of `held` that are neither a sum nor a reservation; see ledger.lua. */
const NEITHER: ReadonlySet<string> = new Set(['due', 'until']);
/** For opening the books again after a failure; else their lease ends by itself. */
const CLOSE_MS = 1_000;

/**
 * Reads both books of a project. They are kept as they are while it looks, a few ms, in which decisions about the project wait;
 * nothing that is under way is disturbed. Throws Fault QuotaUnavailable at the deadline, DatabaseUnavailable.
 * Rule: docs/protocols.md §Q, AUDIT.
 */
export async function audit(parts: AuditParts, projectId: string, deadline: Deadline): Promise<Audited> {
  return orUnavailable(untilAudited(parts, projectId, deadline));
}

async function untilAudited(parts: AuditParts, projectId: string, deadline: Deadline): Promise<Audited> {
  // one for all attempts: what a broken connection has left behind is ours
  const owner = `audit-${randomUUID()}`;
  while (!isOver(deadline)) {
    const incarnation = await parts.redis.incarnation(keysOf(projectId).usage, deadline);
    const audited = await attempt(parts, projectId, { owner, incarnation, deadline }).catch((error: unknown) => {
      if (!(error instanceof TryAgain)) throw error;
    });
    if (audited) return audited;
    await pause(LOOK_AGAIN_MS, deadline);
  }
  throw new NoAnswer("the project's books could not be read in time");
}

/** Undefined: somebody else is at it, or was faster. */
async function attempt(
  { redis, scripts, store, leaseMs = 5_000 }: AuditParts,
  projectId: string,
  { owner, incarnation, deadline }: { owner: string; incarnation: Incarnation; deadline: Deadline },
): Promise<Audited | undefined> {
  const { usage, held, pinned, deadlines, tombstones } = keysOf(projectId);
  const mine = { owner, lease: leaseMs };
  const page = (book: string, cursor: string) =>
    redis.attempt(incarnation, scripts.auditRead, { usage, book, deadlines }, { ...mine, cursor }, deadline);
  const end = (ids: readonly string[], until: Deadline) =>
    redis.attempt(incarnation, scripts.auditEnd, { usage }, { owner, tombstones, ids: JSON.stringify(ids) }, until);

  const begun = await redis.attempt(incarnation, scripts.auditBegin, { usage }, { ...mine, rest: REST_MS }, deadline);
  if (begun === 'unloaded') return { state: 'unloaded' };
  if (begun === 'busy') return undefined;
  let isOpen = false;
  try {
    const records = await countRecords(store, projectId);
    const books: PromiseBook[] = [];
    for (const key of [held, pinned]) {
      const book = await readBook(key, (cursor) => page(key, cursor));
      if (!('entries' in book)) return book.corrupt === undefined ? undefined : { state: 'corrupt', key: book.corrupt };
      books.push(book);
    }
    const ids = records.settlements.map(({ id }) => id);
    const ended = await end(ids.map(shortId), deadline);
    isOpen = true;
    if (ended.answer === 'lost') return undefined;
    const inUse = sumsIn(ended.sums);
    const [heldBook, pinnedBook] = books;
    if (!inUse || !heldBook || !pinnedBook) return { state: 'corrupt', key: usage };
    const words = new Map(ids.flatMap((id, i) => wordOf(id, ended.words[i])));
    return { state: 'read', books: { records, inUse, held: heldBook, pinned: pinnedBook, words } };
  } finally {
    // best effort: whoever waits, waits no longer than the lease
    if (!isOpen) await end([], deadlineIn(CLOSE_MS)).catch(() => undefined);
  }
}

/** A book, or the key that is no book; neither: the lease was lost. */
async function readBook(
  key: string,
  page: (cursor: string) => Promise<AuditPage>,
): Promise<PromiseBook | { readonly corrupt: string | undefined }> {
  const sums = new Map<string, string>();
  const entries = new Map<string, Promised>();
  let cursor = '0';
  do {
    const read = await page(cursor);
    if (read.answer !== 'page') return { corrupt: read.answer === 'corrupt' ? read.key : undefined };
    for (const { field, value, deadline } of read.entries) {
      if (field.startsWith('i:')) sums.set(field.slice(2), value);
      if (field.startsWith('i:') || NEITHER.has(field)) continue;
      const { deltas, note } = decodeAmounts(value);
      if (deltas.length === 0) return { corrupt: key };
      entries.set(field, { id: longId(field), deltas, note, expiresAt: deadline });
    }
    ({ cursor } = read);
  } while (cursor !== '0');
  const amounts = sumsIn([...sums]);
  return amounts ? { sums: amounts, entries: [...entries.values()] } : { corrupt: key };
}

/** Undefined: one is no amount. */
function sumsIn(
  texts: readonly (readonly [resource: string, amount: string])[],
): ReadonlyMap<string, number> | undefined {
  if (!texts.every(([, amount]) => /^\d{1,15}$/.test(amount))) return undefined;
  return new Map(texts.map(([resource, amount]) => [resource, Number(amount)]));
}

function wordOf(id: string, word: string | undefined): [string, Word][] {
  return word ? [[id, word as Word]] : [];
}
