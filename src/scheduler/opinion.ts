/** What one weigher thinks of the candidates of a request, in their order. */
export interface Opinion {
  /** Cinder's name. */
  readonly weigher: string;
  readonly multiplier: number;
  /** As the weigher says it. */
  readonly raw: Float64Array;
  /** As the weight handler adds it, before the multiplier. */
  readonly normalised: Float64Array;
}
