import type { Api } from './api.js';
import { CommandError } from './parts.js';
import { printable } from './printable.js';

/**
 * Does something for each name. All are tried; each failure is told with its name, and then how many there were. Throws
 * CommandError.
 */
export async function forEach(
  { call, explain }: Pick<Api, 'call' | 'explain'>,
  names: readonly string[],
  what: string,
  work: (name: string) => Promise<void>,
): Promise<void> {
  const failures: string[] = [];
  for (const name of names) {
    try {
      await work(name);
    } catch (error) {
      if (call.signal.aborted || names.length === 1) throw error;
      failures.push(`${printable(name)}: ${explain(error)}`);
    }
  }
  if (failures.length === 0) return;
  throw new CommandError([...failures, `${failures.length} of ${names.length} ${what}.`].join('\n'));
}
