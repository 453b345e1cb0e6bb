import { evaluate, type Variables } from '#src/scheduler/evaluator/evaluate.js';
import type { Operand } from '#src/scheduler/evaluator/operand.js';
import { parse } from '#src/scheduler/evaluator/parse.js';
import { replay } from '../replay.js';

interface Input {
  readonly expression: string;
  readonly vars: Variables;
}

export const evaluator = replay('evaluator', ({ expression, vars }: Input) =>
  recorded(evaluate(parse(expression), vars)),
);

/** From here on the files write integers as text. */
const LARGE = 2n ** 53n;

function recorded(value: Operand): object {
  switch (typeof value) {
    case 'boolean':
      return { type: 'bool', value };
    case 'bigint':
      return { type: 'int', value: value > -LARGE && value < LARGE ? Number(value) : String(value) };
    case 'number':
      return { type: 'float', value };
    case 'string':
      return { type: 'str', value };
    default:
      return { type: 'list', value: value.map(recorded) };
  }
}
