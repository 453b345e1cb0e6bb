import { setTimeout as pause } from 'node:timers/promises';
import { RowCountMismatch } from '../db/store.js';
import { ChangedMeanwhile, type Check, type Page, type Suspect } from './check.js';
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
 * shows it unchanged: what was only on its way is not reported. Throws what a check throws, and the signal's reason.
 */
export async function* diagnose(checks: readonly Check[], options: DiagnosisOptions): AsyncGenerator<Said> {
  const { signal } = options;
  for (const { subject, look } of checks) {
    let count = 0;
    for (let after: string | undefined = ''; after !== undefined;) {
      signal.throwIfAborted();
      const { page, confirmed } = await lookTwice(look, after, options);
      count += page.examined;
      for (const suspect of confirmed) yield { finding: await found(suspect, options) };
      after = page.last;
    }
    yield { examined: { subject, count } };
  }
}

/** Looks that are begun anew because the one before was blind, and no longer is. */
const MOST_LOOKS = 3;

/** A page, and those suspects in it that a second look shows unchanged, as that look shows them. */
async function lookTwice(
  look: Check['look'],
  after: string,
  { confirmAfterMs, signal }: DiagnosisOptions,
): Promise<{ readonly page: Page; readonly confirmed: readonly Suspect[] }> {
  let page = await look({ after }, signal);
  for (let nth = 1; page.suspects.length > 0; nth += 1) {
    await pause(confirmAfterMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    const again = await look(page.last === undefined ? { after } : { after, until: page.last }, signal);
    if (page.isBlind && !again.isBlind && nth < MOST_LOOKS) {
      page = await look({ after }, signal);
      continue;
    }
    if (page.isBlind) return { page, confirmed: page.suspects };
    const before = new Set(page.suspects.map(identity));
    return { page, confirmed: again.suspects.filter((suspect) => before.has(identity(suspect))) };
  }
  return { page, confirmed: [] };
}

function identity({ kind, resource, sign }: Suspect): string {
  return JSON.stringify([kind, resource, sign]);
}

async function found(suspect: Suspect, { repair, signal }: DiagnosisOptions): Promise<Finding> {
  const { kind, resource, description } = suspect;
  const { remedy, repairable } = KINDS[kind];
  const finding = { kind, resource, description, remedy, repairable, repaired: false };
  if (!repair || !suspect.repair) return finding;
  try {
    return { ...finding, remedy: await suspect.repair(signal), repaired: true };
  } catch (error) {
    if (!(error instanceof RowCountMismatch) && !(error instanceof ChangedMeanwhile)) throw error;
    return { ...finding, remedy: 'nothing was done: it was changed meanwhile; look again' };
  }
}
