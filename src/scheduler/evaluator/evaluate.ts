import { integerOf, parseFloatText } from '../python/number.js';
import { PythonError } from '../python/python-error.js';
import { get, isMap, kindOf, type Value, type ValueMap } from '../python/value.js';
import { add, call, divide, multiply, power, prepend, subtract } from './arithmetic.js';
import type { Expression, Link } from './expression.js';
import { isEqual, isLess, isLessOrEqual, isTrue, type Operand } from './operand.js';

/** What `namespace.key` in an expression refers to. A namespace that is null has no keys. */
export type Variables = Readonly<Record<string, ValueMap | null>>;

/**
 * The value of an expression. Throws PythonError where Cinder's evaluator raises: `EvaluatorParseException` for an
 * unknown variable or a division by zero, else what Python raises. Rule: cinder/scheduler/evaluator/evaluator.py.
 */
export function evaluate(expression: Expression, variables: Variables): Operand {
  const valueOf = (of: Expression): Operand => evaluate(of, variables);
  switch (expression.kind) {
    case 'constant':
      return constant(expression.text, variables);
    case 'call':
      return call(expression.name, valueOf(expression.argument));
    case 'sign':
      return multiply(expression.sign === '-' ? -1n : 1n, valueOf(expression.operand));
    case 'not':
      return !isTrue(valueOf(expression.operand));
    case 'choice':
      return valueOf(isTrue(valueOf(expression.condition)) ? expression.yes : expression.no);
    case 'chain':
      return chain(expression, valueOf);
  }
}

type ValueOf = (of: Expression) => Operand;

function chain({ level, first, rest }: Extract<Expression, { kind: 'chain' }>, valueOf: ValueOf): Operand {
  switch (level) {
    case 'sum':
      return fold(first, rest, valueOf, (operator) => (operator === '+' ? add : subtract));
    case 'product':
      return fold(first, rest, valueOf, (operator) => (operator === '*' ? multiply : divide));
    case 'power':
      return fold(first, rest, valueOf, () => power);
    case 'comparison':
      return compares(first, rest, valueOf);
    case 'list': {
      const [head, tail] = firstTwo(first, rest, valueOf);
      return prepend(head, tail);
    }
    // both sides are evaluated, and what stands behind the second one never is
    case 'and': {
      const [left, right] = firstTwo(first, rest, valueOf);
      return isTrue(left) ? right : left;
    }
    case 'or': {
      const [left, right] = firstTwo(first, rest, valueOf);
      return isTrue(left) ? left : right;
    }
  }
}

type Operation = (a: Operand, b: Operand) => Operand;

function fold(
  first: Expression,
  rest: readonly Link[],
  valueOf: ValueOf,
  of: (operator: string) => Operation,
): Operand {
  return rest.reduce((value, { operator, operand }) => of(operator)(value, valueOf(operand)), valueOf(first));
}

function firstTwo(first: Expression, [second]: readonly Link[], valueOf: ValueOf): readonly [Operand, Operand] {
  if (second === undefined) throw new TypeError('a chain has two operands or more');
  return [valueOf(first), valueOf(second.operand)];
}

/** Pair by pair; ends at the first pair that does not hold. */
function compares(first: Expression, rest: readonly Link[], valueOf: ValueOf): boolean {
  let left = valueOf(first);
  for (const { operator, operand } of rest) {
    const right = valueOf(operand);
    if (!holds(operator, left, right)) return false;
    left = right;
  }
  return true;
}

function holds(operator: string, a: Operand, b: Operand): boolean {
  switch (operator) {
    case '<':
      return isLess(a, b);
    case '<=':
      return isLessOrEqual(a, b);
    case '>':
      return isLess(b, a);
    case '>=':
      return isLessOrEqual(b, a);
    case '==':
      return isEqual(a, b);
    default:
      return !isEqual(a, b);
  }
}

/** Any other identifier is a text. */
const VARIABLE = /^([A-Za-z_]+)\.([A-Za-z_]+)$/;

function constant(text: string, variables: Variables): Operand {
  const [, namespace, key] = VARIABLE.exec(text) ?? [];
  if (namespace === undefined || key === undefined) return converted(text);
  const values = Object.hasOwn(variables, namespace) ? variables[namespace] : undefined;
  const value = isMap(values) ? get(values, key) : undefined;
  if (value === undefined) throw new PythonError('EvaluatorParseException', `there is no variable ${text}`);
  return converted(value);
}

/** To an int if there is a way, so that a float loses its fraction; else to a float; else it is text without quotes. */
function converted(value: Value): Operand {
  if (typeof value === 'boolean') return BigInt(value);
  if (typeof value === 'string') return integerOf(value) ?? parseFloatText(value) ?? value.replaceAll(/["']/g, '');
  if (typeof value !== 'number') throw new PythonError('TypeError', `${kindOf(value)} is no number and no text`);
  if (Number.isNaN(value)) return value;
  if (!Number.isFinite(value)) throw new PythonError('OverflowError', 'an infinity is no integer');
  return BigInt(Math.trunc(value));
}
