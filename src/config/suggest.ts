/** `; did you mean quota_volumes?`, or nothing when no name is near or begins so. */
export function didYouMean(word: string, names: Iterable<string>): string {
  const limit = Math.max(2, Math.floor(word.length / 4));
  let best: { readonly name: string; readonly edits: number } | undefined;
  for (const name of names) {
    const isBeginning = word.length >= 4 && name.startsWith(word);
    const edits = isBeginning ? 1 : editDistance(word.toLowerCase(), name.toLowerCase());
    if (edits <= limit && edits < (best?.edits ?? Infinity)) best = { name, edits };
  }
  return best === undefined ? '' : `; did you mean ${best.name}?`;
}

/** Levenshtein's distance: letters to insert, delete or replace. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
