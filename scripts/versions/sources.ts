import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createFileRegistry, type DescFile, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

import { ROOT } from '#scripts/prepare.mjs';

/** The internal APIs' protos: parsed with every comment and place, and as they are written. */
export interface Sources {
  readonly registry: FileRegistry;
  readonly files: readonly Source[];
}

export interface Source {
  /** Below proto/, e.g. `cinder/volume/v3/volume_manager.proto`. */
  readonly name: string;
  readonly desc: DescFile;
  readonly text: string;
}

/** Internal APIs, their objects and the RPC's own. The public API has no versions but that of its package. */
const INTERNAL = /^cinder\.(?!api\.)/;
const MAX_BYTES = 64 * 1_048_576;

/** Reads proto/ by buf. Throws what buf says. */
export async function readSources(): Promise<Sources> {
  const registry = await builtWithPlaces(ROOT);
  return {
    registry,
    files: internalFiles(registry).map((desc) => {
      const name = `${desc.name}.proto`;
      return { name, desc, text: readFileSync(join(ROOT, 'proto', name), 'utf8') };
    }),
  };
}

/** In the order of their names. */
export function internalFiles(registry: FileRegistry): readonly DescFile[] {
  return [...registry.files]
    .filter(({ proto }) => INTERNAL.test(proto.package))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What buf makes of a folder with protos, or with a buf.yaml. Throws what buf says. */
export async function builtWithPlaces(folder: string): Promise<FileRegistry> {
  const buf = join(ROOT, 'node_modules/@bufbuild/buf/bin/buf');
  const args = [buf, 'build', '--as-file-descriptor-set', '-o', '-'];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: folder,
    encoding: 'buffer',
    maxBuffer: MAX_BYTES,
  });
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, stdout));
}
