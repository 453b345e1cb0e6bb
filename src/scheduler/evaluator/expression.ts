/** A parsed `filter_function` or `goodness_function`: plain data, parsed once for all pools. */
export type Expression =
  /** A number, an identifier or a quoted text, as written; what it stands for is seen when it is evaluated. */
  | { readonly kind: 'constant'; readonly text: string }
  | { readonly kind: 'call'; readonly name: string; readonly argument: Expression }
  | { readonly kind: 'sign'; readonly sign: '+' | '-'; readonly operand: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  /** Operands of one level and what stands between them, in order. */
  | { readonly kind: 'chain'; readonly level: ChainLevel; readonly first: Expression; readonly rest: readonly Link[] }
  | { readonly kind: 'choice'; readonly condition: Expression; readonly yes: Expression; readonly no: Expression };

/** The levels of binary operators that keep all of their operands. */
export type ChainLevel = 'power' | 'product' | 'sum' | 'comparison' | 'and' | 'or' | 'list';

/** An operator and what stands to its right. */
export interface Link {
  readonly operator: string;
  readonly operand: Expression;
}
