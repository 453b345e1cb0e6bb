import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { run } from '#scripts/run.mjs';
import { viewFolder } from './old-peers.js';
import { ROOT } from './process.js';
import { removeFolder } from './folder.js';

/**
 * Compiles a program against the code that ts-proto makes of an older version's protos, below `./gen/` for it, as it was done in
 * that release. Answers the file to run. Throws what the compiler says.
 */
export async function typedPeer(t: ExecutionContext, versions: string, program: string): Promise<string> {
  const view = await viewFolder(t, versions);
  // below the package, whose dependencies it needs
  await mkdir(join(ROOT, 'build'), { recursive: true });
  const folder = await mkdtemp(join(ROOT, 'build/typed-peer-'));
  t.teardown(() => removeFolder(folder));

  const ours = await readFile(join(ROOT, 'buf.gen.yaml'), 'utf8');
  const template = ours
    .replace(/^inputs:\n.*\n/m, '')
    .replace('local: node_modules', `local: ${join(ROOT, 'node_modules')}`)
    .replace('out: src/gen', `out: ${join(folder, 'gen')}`);
  await writeFile(join(folder, 'buf.gen.yaml'), template);
  await node('@bufbuild/buf/bin/buf', ['generate', '--template', join(folder, 'buf.gen.yaml')], view);

  await writeFile(join(folder, 'program.ts'), program);
  const options = { rootDir: '.', outDir: 'out', composite: false, declaration: false, sourceMap: false };
  const project = { extends: join(ROOT, 'tsconfig.json'), compilerOptions: options, include: ['gen', 'program.ts'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(project));
  await node('typescript/bin/tsc', ['-p', folder], folder);
  return join(folder, 'out/program.js');
}

function node(script: string, args: readonly string[], cwd: string): Promise<string> {
  return run(process.execPath, [join(ROOT, 'node_modules', script), ...args], { cwd });
}
