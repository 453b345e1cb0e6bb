import { PythonError } from '../python/python-error.js';
import { evaluate, type Variables } from './evaluate.js';
import type { Expression } from './expression.js';
import type { Operand } from './operand.js';
import { parse } from './parse.js';

/** Texts that are remembered. Backends report the same ones again and again. */
const CAPACITY = 1_000;

/** Evaluates the functions that pools report. A text is parsed once, however many pools and requests it is for. */
export class Functions {
  readonly #parsed = new Map<string, Expression | PythonError>();

  /** The value of the function. Throws PythonError. */
  evaluate(text: string, variables: Variables): Operand {
    const parsed = this.#parse(text);
    if (parsed instanceof PythonError) throw parsed;
    return evaluate(parsed, variables);
  }

  #parse(text: string): Expression | PythonError {
    const known = this.#parsed.get(text);
    if (known !== undefined) return known;
    if (this.#parsed.size >= CAPACITY) this.#parsed.clear();
    const parsed = tried(text);
    this.#parsed.set(text, parsed);
    return parsed;
  }
}

function tried(text: string): Expression | PythonError {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof PythonError) return error;
    throw error;
  }
}
