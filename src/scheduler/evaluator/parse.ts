import { PythonError } from '../python/python-error.js';
import type { ChainLevel, Expression, Link } from './expression.js';

/** Longest expression, characters. */
const MAX_LENGTH = 8_192;
/** Deepest nesting of parentheses, signs, calls and the like. */
const MAX_DEPTH = 100;

/**
 * Reads an expression as Cinder's grammar does, its oddities included: an operator whose right side cannot be read is
 * taken back, words for operators need no space after them, and an identifier before an operand is a call.
 * Throws PythonError `EvaluatorParseException` for what is no expression, and for one too long or too deep.
 * Rule: cinder/scheduler/evaluator/evaluator.py.
 */
export function parse(text: string): Expression {
  if (text.length > MAX_LENGTH) throw unreadable(`is longer than ${MAX_LENGTH} characters`);
  const reader = new Reader(text);
  const read = reader.at(LEVELS.length, 0);
  if (read === undefined || reader.skipSpace(read.end) < text.length) throw unreadable('is no expression');
  return read.expression;
}

function unreadable(why: string): PythonError {
  return new PythonError('EvaluatorParseException', `the expression ${why}`);
}

/** An expression, and where the text goes on after it. */
interface Read {
  readonly expression: Expression;
  readonly end: number;
}

type Level =
  /** Before its operand, which is of the same level again. */
  | {
      readonly kind: 'prefix';
      readonly operator: RegExp;
      readonly make: (operator: string, operand: Expression) => Expression;
    }
  /** Between two operands; `right`: the second is of the same level again, else of the one below. */
  | { readonly kind: 'binary'; readonly operator: RegExp; readonly level: ChainLevel; readonly right?: true }
  | { readonly kind: 'ternary' };

const IDENTIFIER = /[A-Za-z_.]+/y;

/** Tightest first. Alternatives stand with the longer one first, as the grammar tries them. */
const LEVELS: readonly Level[] = [
  { kind: 'prefix', operator: IDENTIFIER, make: (name, argument) => ({ kind: 'call', name, argument }) },
  { kind: 'binary', operator: /\^/y, level: 'power', right: true },
  {
    kind: 'prefix',
    operator: /[+-]/y,
    make: (sign, operand) => ({ kind: 'sign', sign: sign === '-' ? '-' : '+', operand }),
  },
  { kind: 'binary', operator: /[*/]/y, level: 'product' },
  { kind: 'binary', operator: /[+-]/y, level: 'sum' },
  { kind: 'prefix', operator: /not|NOT|!/y, make: (_, operand) => ({ kind: 'not', operand }) },
  { kind: 'binary', operator: /<=|<>|<|>=|>|!=|==/y, level: 'comparison' },
  { kind: 'ternary' },
  { kind: 'binary', operator: /AND|and|&&/y, level: 'and' },
  { kind: 'binary', operator: /OR|or|\|\|/y, level: 'or' },
  { kind: 'binary', operator: /,/y, level: 'list', right: true },
];

const REAL = /\d+\.\d+/y;
const INTEGER = /\d+/y;
/**
 * A quote is doubled, or escaped, to stand inside; the quotes go when the text is evaluated. `\x` wants one digit, and those that
 * follow are letters like others: were they read with it, a text without its end would be tried in every way to share them out.
 */
const DOUBLE_QUOTED = /"(?:[^"\n\r\\]|""|\\(?:[^x]|x[0-9a-fA-F]))*"/y;
const SINGLE_QUOTED = /'(?:[^'\n\r\\]|''|\\(?:[^x]|x[0-9a-fA-F]))*'/y;
const CONSTANTS: readonly RegExp[] = [REAL, INTEGER, IDENTIFIER, DOUBLE_QUOTED, SINGLE_QUOTED];
const SPACE = /[ \t\r\n]*/y;

/** A descent that tries and takes back; each level is read once at each place, so that the work stays linear. */
class Reader {
  readonly #text: string;
  /** By place and level; null: cannot be read there. */
  readonly #known = new Map<number, Read | null>();
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** What can be read of the `height` tightest levels from a place on; undefined when nothing can. */
  at(height: number, start: number): Read | undefined {
    const key = start * (LEVELS.length + 1) + height;
    const known = this.#known.get(key);
    if (known !== undefined) return known ?? undefined;
    const level = LEVELS[height - 1];
    if (this.#depth > MAX_DEPTH * LEVELS.length) throw unreadable(`is nested deeper than ${MAX_DEPTH}`);
    this.#depth += 1;
    const read =
      level === undefined
        ? this.#operand(start)
        : (this.#operation(level, height, start) ?? this.at(height - 1, start));
    this.#depth -= 1;
    this.#known.set(key, read ?? null);
    return read;
  }

  skipSpace(start: number): number {
    SPACE.lastIndex = start;
    SPACE.test(this.#text);
    return SPACE.lastIndex;
  }

  #operation(level: Level, height: number, start: number): Read | undefined {
    switch (level.kind) {
      case 'prefix':
        return this.#prefix(level, height, start);
      case 'binary':
        return this.#binary(level, height, start);
      case 'ternary':
        return this.#ternary(height, start);
    }
  }

  #prefix({ operator, make }: Extract<Level, { kind: 'prefix' }>, height: number, start: number): Read | undefined {
    const token = this.#token(operator, start);
    const operand = token && this.at(height, token.end);
    return token && operand && { expression: make(token.text, operand.expression), end: operand.end };
  }

  #binary(
    { operator, level, right }: Extract<Level, { kind: 'binary' }>,
    height: number,
    start: number,
  ): Read | undefined {
    const first = this.at(height - 1, start);
    if (first === undefined) return undefined;
    const rest: Link[] = [];
    let { end } = first;
    for (;;) {
      const token = this.#token(operator, end);
      const operand = token && this.at(right ? height : height - 1, token.end);
      if (!token || !operand) break;
      rest.push({ operator: token.text, operand: operand.expression });
      end = operand.end;
    }
    return rest.length === 0 ? undefined : { expression: { kind: 'chain', level, first: first.expression, rest }, end };
  }

  /** Of a chain only the first choice counts, however long it is. */
  #ternary(height: number, start: number): Read | undefined {
    const condition = this.at(height - 1, start);
    const first = condition && this.#branches(height, condition.end);
    if (!condition || !first) return undefined;
    let { end } = first;
    for (let more = this.#branches(height, end); more; more = this.#branches(height, end)) ({ end } = more);
    return { expression: { kind: 'choice', condition: condition.expression, yes: first.yes, no: first.no }, end };
  }

  #branches(height: number, start: number): { yes: Expression; no: Expression; end: number } | undefined {
    const question = this.#token(QUESTION, start);
    const yes = question && this.at(height - 1, question.end);
    const colon = yes && this.#token(COLON, yes.end);
    const no = colon && this.at(height - 1, colon.end);
    return yes && no && { yes: yes.expression, no: no.expression, end: no.end };
  }

  #operand(start: number): Read | undefined {
    for (const pattern of CONSTANTS) {
      const token = this.#token(pattern, start);
      if (token) return { expression: { kind: 'constant', text: token.text }, end: token.end };
    }
    const open = this.#token(OPEN, start);
    const inner = open && this.at(LEVELS.length, open.end);
    const close = inner && this.#token(CLOSE, inner.end);
    return inner && close && { expression: inner.expression, end: close.end };
  }

  #token(pattern: RegExp, start: number): { readonly text: string; readonly end: number } | undefined {
    pattern.lastIndex = this.skipSpace(start);
    const [text] = pattern.exec(this.#text) ?? [];
    return text === undefined ? undefined : { text, end: pattern.lastIndex };
  }
}

const QUESTION = /\?/y;
const COLON = /:/y;
const OPEN = /\(/y;
const CLOSE = /\)/y;
