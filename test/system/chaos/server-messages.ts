/** What a server is to do at its next step of this name. */
export interface Order {
  readonly point: string;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

/** What a server is told: an order, or to collect its garbage, so that what it holds is what it needs. */
export type ToServer = Order | 'collect garbage';

/** What it says: where it listens, when it serves; that its garbage is collected. */
export type ToParent = { readonly addresses: readonly string[] } | 'collected';

/** What its log says when it ends at a step, followed by the step's name. */
export const HIT = 'chaos: ends at ';
/** What its log says of a step that nobody had thought of. */
export const UNKNOWN = 'chaos: unknown step ';
