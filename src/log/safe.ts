const MASK = '***';
const SECRET_NAME = /token|password|passwd|secret|credential|^auth$|authorization|authKey/i;
const URL_PASSWORD = /(\/\/[^/\s:@]*:)[^/\s@]+@/g;

const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_CHARACTERS = 8_192;

/** How an error is shown in a log line. */
interface ShownError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack?: string;
  readonly cause?: unknown;
}

/**
 * A value as it may be logged: secrets masked, errors as plain facts, and bounded in depth, items and characters, so that
 * no value, however odd, makes a line fail or grow without end.
 */
export function safe(value: unknown, withStack: boolean, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return safeText(value);
    case 'bigint':
      return value.toString();
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      return value === null ? null : safeObject(value, withStack, depth);
    default:
      return value;
  }
}

/** Text with the password of every URL in it masked, at most 8,192 characters. */
export function safeText(text: string): string {
  const short = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  return short.includes('//') ? short.replace(URL_PASSWORD, `$1${MASK}@`) : short;
}

function safeObject(value: object, withStack: boolean, depth: number): unknown {
  if (value instanceof Error) return safeError(value, withStack, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (Array.isArray(value) || value instanceof Set) {
    const items: unknown[] = [...value];
    const shown = items.slice(0, MAX_ITEMS).map((item) => safe(item, withStack, depth + 1));
    return items.length > MAX_ITEMS ? [...shown, `[${items.length - MAX_ITEMS} more]`] : shown;
  }
  const pairs: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(
    pairs
      .slice(0, MAX_ITEMS)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [String(key), SECRET_NAME.test(String(key)) ? MASK : safe(item, withStack, depth + 1)]),
  );
}

function safeError(error: Error, withStack: boolean, depth: number): ShownError {
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: safeText(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(withStack && error.stack !== undefined ? { stack: safeText(error.stack) } : {}),
    ...(error.cause !== undefined && depth < MAX_DEPTH ? { cause: safe(error.cause, withStack, depth + 1) } : {}),
  };
}
