/** What Python would raise at a place where Cinder does not catch it. */
export type PythonErrorKind =
  | 'IndexError'
  | 'KeyError'
  | 'LookupError'
  | 'OverflowError'
  | 'TypeError'
  | 'ValueError'
  | 'ZeroDivisionError'
  | 'AttributeError'
  | 'JSONDecodeError'
  | 'EvaluatorParseException';

/**
 * A comparison or sum that Cinder, too, cannot make of what a backend reports or a type asks for. Never leaves the
 * scheduler: where a decision ends it becomes the fault `UnusableCapability`.
 */
export class PythonError extends Error {
  readonly kind: PythonErrorKind;

  constructor(kind: PythonErrorKind, message: string) {
    super(message);
    this.name = 'PythonError';
    this.kind = kind;
  }
}
