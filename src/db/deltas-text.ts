/** Amounts as a column keeps them: JSON {resource: amount}. */
export interface KeptDeltas {
  readonly deltas: Readonly<Record<string, number>>;
  /** The text is no amounts: whoever must follow them counts the project anew instead. Absent: it is. */
  readonly isDamaged?: true;
}

/** Reads what `JSON.stringify` wrote; what somebody broke has no amounts, and says so. */
export function deltasIn(text: string): KeptDeltas {
  try {
    const value: unknown = JSON.parse(text);
    if (isAmounts(value)) return { deltas: value };
  } catch {
    // as below
  }
  return { deltas: {}, isDamaged: true };
}

function isAmounts(value: unknown): value is Readonly<Record<string, number>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([resource, amount]) => resource !== '' && Number.isSafeInteger(amount));
}
