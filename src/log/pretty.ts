import { inspect, styleText } from 'node:util';

const COLOURS = { error: 'red', warn: 'yellow', info: 'green', debug: 'gray' } as const;

/** One log line for people: time of day, level, message, then `name=value`; a stack goes below, indented. */
export function prettyLine({ time, level, message, ...fields }: Record<string, unknown>, coloured: boolean): string {
  const paint = (colour: Parameters<typeof styleText>[0], text: string): string =>
    coloured ? styleText(colour, text) : text;
  const name = String(level);
  const head = [
    paint('gray', String(time).slice(11, 23)),
    paint(name in COLOURS ? COLOURS[name as keyof typeof COLOURS] : 'white', name.padEnd(5)),
    String(message),
    ...Object.entries(fields).map(([key, value]) => `${paint('cyan', key)}=${shown(value)}`),
  ].join(' ');
  const stack = stackOf(fields['error']);
  return stack === undefined ? head : `${head}\n${stack.replaceAll(/^/gm, '    ')}`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:@#/+-]+$/.test(value) ? value : JSON.stringify(value);
  if (typeof value === 'object' && value !== null && 'message' in value) return JSON.stringify(value.message);
  return inspect(value, { breakLength: Infinity, depth: 6 });
}

function stackOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('stack' in error)) return undefined;
  return String(error.stack);
}
