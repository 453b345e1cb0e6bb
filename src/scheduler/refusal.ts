/** Why one pool was turned down, in an operator's words. */
export interface Rejection {
  /** `host@backend#pool`. */
  readonly pool: string;
  readonly reason: string;
}

/** What one filter did to the pools that reached it. */
export interface FilterTally {
  /** Cinder's name of the filter. */
  readonly filter: string;
  readonly poolCount: number;
  readonly rejectedCount: number;
  /** What the rejected pools lack; names no pool. */
  readonly complaint: string;
  /** The first of the rejections. */
  readonly examples: readonly Rejection[];
}

/** Why there is no pool for a request: from "nobody has reported" to "each was rejected, by this filter". */
export interface Refusal {
  /** Pools there were to choose from. */
  readonly poolCount: number;
  /** Backends that are up and have not reported. */
  readonly silentBackends: readonly string[];
  /** In the filters' order. */
  readonly tallies: readonly FilterTally[];
  /** Pools that passed all filters and still could not be taken: bound elsewhere, or lost to somebody faster. */
  readonly passedCount: number;
  /** The backend the volume is bound to; null: none. */
  readonly resourceBackend: string | null;
}

/** The refusal in full, for the log and for administrators. */
export function describeToOperator(refusal: Refusal): string {
  const silent = refusal.silentBackends;
  const unheard = silent.length === 0 ? [] : [`${count(silent, 'backend')} up without a report: ${listed(silent)}.`];
  if (refusal.poolCount === 0) return [nothingThere(refusal), ...unheard].join(' ');
  const lines = rejecting(refusal).map(
    ({ filter, poolCount, rejectedCount, examples }) =>
      `${filter} rejected ${rejectedCount} of ${poolCount} (${examples.map(({ pool, reason }) => `${pool} ${reason}`).join('; ')}${rejectedCount > examples.length ? '; …' : ''}).`,
  );
  const bound = refusal.resourceBackend === null ? 'free any more' : `on ${refusal.resourceBackend}, or free any more`;
  return [
    refusal.poolCount === 1 ? '1 pool.' : `${refusal.poolCount} pools.`,
    ...lines,
    ...leftOver(refusal, bound),
    ...unheard,
  ].join(' ');
}

/** The refusal for the owner of the volume: the same account, without names and figures of backends. */
export function describeToOwner(refusal: Refusal): string {
  if (refusal.poolCount === 0) return nothingThere(refusal);
  const lines = rejecting(refusal).map(
    ({ poolCount, rejectedCount, complaint }) => `${rejectedCount} of ${poolCount} pools ${complaint}.`,
  );
  const bound = refusal.resourceBackend === null ? 'free any more' : 'where the volume has to be, or free any more';
  return [...lines, ...leftOver(refusal, bound)].join(' ');
}

function nothingThere({ silentBackends }: Refusal): string {
  return silentBackends.length > 0 ? 'No storage pool has reported yet.' : 'No storage backend is up and enabled.';
}

function rejecting({ tallies }: Refusal): readonly FilterTally[] {
  return tallies.filter(({ rejectedCount }) => rejectedCount > 0);
}

function leftOver({ passedCount }: Refusal, lack: string): string[] {
  return passedCount === 0 ? [] : [`Of ${passedCount} that would do, none is ${lack}.`];
}

const MAX_LISTED = 5;

function listed(names: readonly string[]): string {
  return names.slice(0, MAX_LISTED).join(', ') + (names.length > MAX_LISTED ? ', …' : '');
}

function count(items: readonly unknown[], noun: string): string {
  return items.length === 1 ? `1 ${noun} is` : `${items.length} ${noun}s are`;
}
