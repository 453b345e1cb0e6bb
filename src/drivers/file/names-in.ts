import { opendir } from 'node:fs/promises';
import { codeOf } from './sparse-file.js';

/** Names that are handed on together. */
const PAGE = 500;

/**
 * The names in a folder, some at a time: a folder with a million of them keeps neither the event loop nor the memory. A
 * folder that is not there is empty. Throws the signal's reason.
 */
export async function* namesIn(path: string, signal: AbortSignal): AsyncGenerator<readonly string[]> {
  signal.throwIfAborted();
  const folder = await opendir(path, { bufferSize: PAGE }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (!folder) return;
  let names: string[] = [];
  for await (const { name } of folder) {
    names.push(name);
    if (names.length < PAGE) continue;
    yield names;
    signal.throwIfAborted();
    names = [];
  }
  if (names.length > 0) yield names;
}
