import { setTimeout as pause } from 'node:timers/promises';
import { RowCountMismatch } from '../db/store.js';
import type { Check, Range, Suspect } from './check.js';
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
      const page = await look({ after }, signal);
      count += page.examined;
      const range = page.last === undefined ? { after } : { after, until: page.last };
      for (const suspect of await confirmed(look, range, page.suspects, options)) {
        yield { finding: await found(suspect, options) };
      }
      after = page.last;
    }
    yield { examined: { subject, count } };
  }
}

/** Those that a second look shows unchanged, as that look shows them. */
async function confirmed(
  look: Check['look'],
  range: Range,
  suspects: readonly Suspect[],
  { confirmAfterMs, signal }: DiagnosisOptions,
): Promise<readonly Suspect[]> {
  if (suspects.length === 0) return [];
  await pause(confirmAfterMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  const before = new Set(suspects.map(identity));
  const again = await look(range, signal);
  return again.suspects.filter((suspect) => before.has(identity(suspect)));
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
    if (!(error instanceof RowCountMismatch)) throw error;
    return { ...finding, remedy: 'nothing was done: it was changed meanwhile; look again' };
  }
}
