import { setTimeout as pause } from 'node:timers/promises';
import { RowCountMismatch } from '../db/store.js';
import { ChangedMeanwhile, type Check, NotMended, type Page, type Suspect } from './check.js';
import { type FindingKind, KINDS, type Subject } from './kinds.js';

/** Something that did not agree, twice. */
export interface Finding {
  readonly kind: FindingKind;
  readonly resource: string;
  readonly description: string;
  /** What a repair would do or did, or why it did not; else what an operator can do. */
  readonly remedy: string;
  readonly repairable: boolean;
  readonly repaired: boolean;
}

/** What a diagnosis says: findings one by one, and how much of a subject was looked at when it is through with it. */
export type Said =
  { readonly finding: Finding } | { readonly examined: { readonly subject: Subject; readonly count: number } };

export interface DiagnosisOptions {
  /** Whether what can be mended is. */
  readonly repair: boolean;
  /** Between two looks, ms: longer than anything takes that is done in one go. */
  readonly confirmAfterMs: number;
  readonly signal: AbortSignal;
}

/**
 * Looks at everything that the checks compare, page by page. A suspect becomes a finding when a second look at the same part
 * shows it unchanged: what was only on its way is not reported. The second looks follow together, so that a diagnosis waits
 * once, and a repair once for each check: what it mends, the next check must see. Throws what a check throws, and the
 * signal's reason.
 */
export async function* diagnose(checks: readonly Check[], options: DiagnosisOptions): AsyncGenerator<Said> {
  const { signal, repair } = options;
  const suspicious: Suspicious[] = [];
  for (const { subject, look } of checks) {
    let count = 0;
    for (let after: string | undefined = ''; after !== undefined;) {
      const page = await seen(look, after, options);
      count += page.examined;
      if (page.isBlind) yield* mended(page.suspects, options);
      else if (page.suspects.length > 0) suspicious.push({ look, after, page, at: performance.now() });
      if (suspicious.length >= MOST_WAITING) yield* findings(suspicious.splice(0), options);
      after = page.last;
    }
    yield { examined: { subject, count } };
    if (repair) yield* findings(suspicious.splice(0), options);
  }
  yield* findings(suspicious, options);
  signal.throwIfAborted();
}

/** A page with suspects that waits for its second look. */
interface Suspicious {
  readonly look: Check['look'];
  readonly after: string;
  readonly page: Page;
  /** Of the first look, ms by the process's clock. */
  readonly at: number;
}

/** Pages with suspects that are kept until their second look. */
const MOST_WAITING = 32;
/** Looks at what cannot be looked at, before that is what is said. */
const MOST_LOOKS = 2;

/** The first look at a page; what was blind for a moment is looked at again. */
async function seen(look: Check['look'], after: string, { confirmAfterMs, signal }: DiagnosisOptions): Promise<Page> {
  for (let nth = 1; ; nth += 1) {
    signal.throwIfAborted();
    const page = await look({ after }, signal);
    if (!page.isBlind || nth === MOST_LOOKS) return page;
    await wait(confirmAfterMs, signal);
  }
}

async function* findings(suspicious: readonly Suspicious[], options: DiagnosisOptions): AsyncGenerator<Said> {
  const { confirmAfterMs, signal } = options;
  for (const { look, after, page, at } of suspicious) {
    await wait(at + confirmAfterMs - performance.now(), signal);
    const again = await look(page.last === undefined ? { after } : { after, until: page.last }, signal);
    const before = new Set(page.suspects.map(identity));
    yield* mended(
      again.suspects.filter((suspect) => before.has(identity(suspect))),
      options,
    );
  }
}

async function* mended(confirmed: readonly Suspect[], options: DiagnosisOptions): AsyncGenerator<Said> {
  for (const suspect of confirmed) yield { finding: await found(suspect, options) };
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await pause(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

function identity({ kind, resource, sign }: Suspect): string {
  return JSON.stringify([kind, resource, sign]);
}

async function found(suspect: Suspect, { repair, signal }: DiagnosisOptions): Promise<Finding> {
  const { kind, resource, description } = suspect;
  const { byHand: remedy = KINDS[kind].remedy } = suspect;
  const repairable = suspect.repair !== undefined;
  const finding = { kind, resource, description, remedy, repairable, repaired: false };
  if (!repair || !suspect.repair) return finding;
  try {
    return { ...finding, remedy: await suspect.repair(signal), repaired: true };
  } catch (error) {
    if (error instanceof NotMended) return { ...finding, remedy: `nothing was done: ${error.message}` };
    if (!(error instanceof RowCountMismatch) && !(error instanceof ChangedMeanwhile)) throw error;
    return { ...finding, remedy: 'nothing was done: it was changed meanwhile; look again' };
  }
}
