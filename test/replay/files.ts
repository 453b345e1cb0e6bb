import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vector } from './replay.js';

/** A file of recorded cases. */
export interface VectorFile {
  readonly path: string;
  readonly kind: string;
  readonly cases: readonly Vector[];
}

/** The files of recorded cases in a folder and those below it, by path. Throws for a JSON file that is none. */
export async function vectorFiles(folder: string): Promise<readonly VectorFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.json'));
  return Promise.all(
    paths
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map(read),
  );
}

async function read(path: string): Promise<VectorFile> {
  const { kind, cases } = JSON.parse(await readFile(path, 'utf8')) as Partial<VectorFile>;
  if (typeof kind !== 'string' || !Array.isArray(cases)) throw new Error(`${path} has no 'kind' and 'cases'`);
  return { path, kind, cases };
}
