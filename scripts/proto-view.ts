// usage: npm run proto-view -- cinder-scheduler=3.9,cinder-volume=3.15[,objects=1.38] [DIR]    writes the protos of an older version

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ROOT } from '#scripts/prepare.mjs';
import { cutText } from './versions/cut-text.js';
import { type Levels, levelsFrom } from './versions/levels.js';
import { readSources, type Sources } from './versions/sources.js';
import { viewOf } from './versions/view.js';

/** The internal protos as an older version has them: file name below proto/ → text. Throws for a version there never was. */
export function protoView({ registry, files }: Sources, levels: Levels): ReadonlyMap<string, string> {
  const view = viewOf(registry, levels);
  return new Map(
    files.flatMap((source) => {
      const text = cutText(source, view, registry);
      return text === undefined ? [] : [[source.name, text] as const];
    }),
  );
}

/** Writes a view where nothing else is. Throws when the folder holds anything. */
export async function writeView(folder: string, view: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty`);
  for (const [name, text] of view) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

async function main([versions, folder]: readonly string[]): Promise<void> {
  if (!versions) throw new Error('which versions? e.g. npm run proto-view -- cinder-scheduler=3.9,cinder-volume=3.15');
  const view = protoView(await readSources(), levelsFrom(versions));
  const ours = join(ROOT, 'build/proto-view', versions.replaceAll(',', '_'));
  const target = folder ? resolve(process.env['INIT_CWD'] ?? '.', folder) : ours;
  if (target === ours) await rm(ours, { recursive: true, force: true });
  await writeView(target, view);
  console.log(`${view.size} files in ${target}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
