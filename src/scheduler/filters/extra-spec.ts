import { parseFloatText, toFloat } from '../python/number.js';
import { PythonError } from '../python/python-error.js';
import { compareText, isTrueWord, splitWords } from '../python/text.js';
import { contains, equals, kindOf, type Value } from '../python/value.js';

/** Whether a capability meets one spec of a type. Throws PythonError for kinds that cannot be compared. */
export type Match = (value: Value) => boolean;

/**
 * Reads one spec: an operator and its operand, or else a text the capability must equal.
 * Rule: cinder/scheduler/filters/extra_specs_ops.py.
 */
export function parseExtraSpec(spec: string | null): Match {
  if (spec === null) return (value) => value === null;
  const [operator = '', ...words] = splitWords(spec);
  if (operator === '<or>') return unlessNull(isAnyOf(words));
  const method = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
  if (method === undefined) return (value) => value === spec;
  const [operand] = words; // further words count for nothing
  return operand === undefined ? () => false : unlessNull(method(operand));
}

/** What follows each operator, given its operand. A plain `=` means "at least". */
const OPERATORS: Readonly<Record<string, (operand: string) => Match>> = {
  '=': numeric((value, operand) => value >= operand),
  '==': numeric((value, operand) => value === operand),
  '!=': numeric((value, operand) => value !== operand),
  '>=': numeric((value, operand) => value >= operand),
  '<=': numeric((value, operand) => value <= operand),
  's==': (operand) => (value) => equals(value, operand),
  's!=': (operand) => (value) => !equals(value, operand),
  's<': textual((order) => order < 0),
  's<=': textual((order) => order <= 0),
  's>': textual((order) => order > 0),
  's>=': textual((order) => order >= 0),
  '<in>': (operand) => (value) => contains(value, operand),
  '<is>': (operand) => (value) => asBoolean(value) === isTrueWord(operand),
};

/** What is no number on either side never matches, not even `!=`. */
function numeric(holds: (value: number, operand: number) => boolean): (operand: string) => Match {
  return (text) => {
    const operand = parseFloatText(text);
    return (value) => {
      const number = typeof value === 'string' ? parseFloatText(value) : toFloat(value);
      return number !== undefined && operand !== undefined && holds(number, operand);
    };
  };
}

function textual(holds: (order: number) => boolean): (operand: string) => Match {
  return (operand) => (value) => {
    if (typeof value !== 'string') throw new PythonError('TypeError', `${kindOf(value)} cannot be ordered like text`);
    return holds(compareText(value, operand));
  };
}

/** Every other word is an alternative; what stands between them is not read. */
function isAnyOf(words: readonly string[]): Match {
  const alternatives = words.filter((_, index) => index % 2 === 0);
  return (value) => {
    if (alternatives.length === 0) throw new PythonError('IndexError', '<or> without an alternative');
    return alternatives.some((alternative) => alternative === value);
  };
}

function asBoolean(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  return (typeof value === 'string' || typeof value === 'number') && isTrueWord(String(value));
}

function unlessNull(match: Match): Match {
  return (value) => value !== null && match(value);
}
