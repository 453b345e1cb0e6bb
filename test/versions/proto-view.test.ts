import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DescField, DescMessage, FileRegistry } from '@bufbuild/protobuf';
import test, { type ExecutionContext } from 'ava';
import { ROOT } from '#scripts/prepare.mjs';
import { objectVersionFor } from '#src/rpc/object-history.js';
import { rpcOptions } from '#src/rpc/rpc-options.js';
import { compareVersions, formatVersion, versionOf } from '#src/rpc/version-number.js';
import { readRules } from '#src/rpc/versions.js';
import { protoView, writeView } from '../../scripts/proto-view.js';
import { type Levels, levelsFrom, NEWEST } from '../../scripts/versions/levels.js';
import { placesOf } from '../../scripts/versions/places.js';
import { builtWithPlaces, readSources, type Sources } from '../../scripts/versions/sources.js';
import { folderFor } from '../support/folder.js';
import { processFor } from '../support/process.js';

const sources = await readSources();

/** Every pair of minors that a release had or could have had, oldest first. */
const AGES = Array.from(
  { length: 21 },
  (_, minor) => `cinder-scheduler=3.${Math.min(minor, 12)},cinder-volume=3.${minor}`,
);

test('the view of the newest versions is the protos themselves, byte by byte', (t) => {
  const view = protoView(sources, NEWEST);
  t.true(view.size >= 8);
  for (const { name, text } of sources.files) t.is(view.get(name), text, name);
  t.deepEqual(protoView(sources, levelsFrom('cinder-scheduler=3.12,cinder-volume=3.20')), view);
});

for (const age of AGES) {
  test.serial(`the view of ${age} builds, and is what every since says`, async (t) => {
    const levels = levelsFrom(age);
    const built = await builtView(t, sources, levels);
    const rules = readRules({ registry: built, files: new Map() });
    for (const { binary, version } of rules.internal.values()) t.deepEqual(version, levels.rpc.get(binary));
    t.deepEqual(methodsOf(built), methodsOf(sources.registry, levels));
    for (const message of internalMessages(built)) checkMessage(t, message, levels);
    t.deepEqual(unused(built), [], 'messages that nothing uses any more');
  });
}

test('a view keeps the comment of everything that it keeps', async (t) => {
  const built = await builtView(t, sources, levelsFrom('cinder-scheduler=3.4,cinder-volume=3.7'));
  for (const message of internalMessages(built)) {
    const original = sources.registry.getMessage(message.typeName);
    for (const desc of [message, ...message.fields]) {
      const twin = desc.kind === 'message' ? original : original?.fields.find(({ name }) => name === desc.name);
      t.not(commentOf(desc), '', desc.toString());
      t.is(commentOf(desc), twin ? commentOf(twin) : 'there is none', desc.toString());
    }
  }
});

test('objects are those of the oldest release that is named, or what is asked for', (t) => {
  const objects = (text: string): string => formatVersion(levelsFrom(text).objects);
  t.is(objects('cinder-scheduler=3.12,cinder-volume=3.20'), '1.39');
  t.is(objects('cinder-scheduler=3.12,cinder-volume=3.17'), '1.38');
  t.is(objects('cinder-scheduler=3.9'), '1.38');
  t.is(objects('cinder-scheduler=3.9,objects=1.39'), '1.39');
});

const says = test.macro({
  exec: async (t, versions: string, expected: RegExp) => {
    const script = processFor(t, process.execPath, [join(ROOT, 'build/scripts/proto-view.js'), versions]);
    t.is(await script.ended(), 1);
    t.regex(script.stderr(), expected);
    t.notRegex(script.stderr(), /\n {4}at /);
  },
  title: (_, versions: string, expected: RegExp) => `proto-view of '${versions}' says ${expected.source}`,
});
test.serial(says, '', /^which versions\? e\.g\. /);
test.serial(says, 'cinder-scheduler=3.13', /^cinder-scheduler never spoke 3\.13: it has spoken 3\.0 to 3\.12$/m);
test.serial(says, 'cinder-scheduler=2.9', /never spoke 2\.9/);
test.serial(says, 'cinder-scheduler=new', /^'new' is not a version/);
test.serial(says, 'cinder-scheduler', /is not BINARY=VERSION/);
test.serial(says, 'cinder-backup=2.0', /^there is no cinder-backup: there are cinder-scheduler, cinder-volume$/m);
test.serial(says, 'cinder-volume=3.0,objects=1.37', /^there is no object version 1\.37/);

test('proto-view writes into the folder it is given, and into none that holds anything', async (t) => {
  const folder = join(await folderFor(t), 'view');
  const args = [join(ROOT, 'build/scripts/proto-view.js'), 'cinder-scheduler=3.9,cinder-volume=3.15', folder];
  t.is(await processFor(t, process.execPath, args).ended(), 0);
  const text = await readFile(join(folder, 'cinder/scheduler/v3/scheduler_manager.proto'), 'utf8');
  t.true(text.includes('version: "3.9"'));
  t.false(text.includes('backup_id ='));
  const again = processFor(t, process.execPath, args);
  t.is(await again.ended(), 1);
  t.regex(again.stderr(), /is not empty/);
});

async function builtView(t: ExecutionContext, of: Sources, levels: Levels): Promise<FileRegistry> {
  const folder = await folderFor(t);
  await writeView(folder, protoView(of, levels));
  return builtWithPlaces(folder);
}

/** `Service/Method`; with levels those that are not newer. */
function methodsOf(registry: FileRegistry, levels?: Levels): readonly string[] {
  const options = rpcOptions(registry);
  return [...registry.files].flatMap((file) =>
    file.services.flatMap((service) => {
      const api = options.apiOf(service);
      if (!api) return [];
      const limit = levels?.rpc.get(api.binary) ?? versionOf(api.version);
      return service.methods
        .filter((method) => compareVersions(versionOf(options.methodOf(method)?.since || api.baseline), limit) <= 0)
        .map(({ name }) => `${service.name}/${name}`);
    }),
  );
}

function internalMessages(registry: FileRegistry): readonly DescMessage[] {
  return [...registry.files]
    .filter(({ proto }) => /^cinder\.(scheduler|volume|objects)\./.test(proto.package))
    .flatMap(({ messages }) => messages);
}

/** The fields that were there, as they are; the numbers and names of the others reserved. */
function checkMessage(t: ExecutionContext, message: DescMessage, levels: Levels): void {
  const original = sources.registry.getMessage(message.typeName);
  if (!original) return t.fail(`${message.typeName} is not ours`);
  const options = rpcOptions(sources.registry);
  const object = options.objectOf(original);
  const binary = message.typeName.startsWith('cinder.scheduler') ? 'cinder-scheduler' : 'cinder-volume';
  const limit = object
    ? (objectVersionFor(levels.objects, object.name) ?? versionOf(object.version))
    : (levels.rpc.get(binary) ?? versionOf('3.99'));
  const isOld = (field: DescField): boolean =>
    compareVersions(versionOf(options.fieldOf(field).since || '0.0'), limit) <= 0;
  // the index counts the oneofs before it, which `optional` makes too: the name is what matters
  const shape = ({ proto, oneof }: DescField): object => ({
    ...{ ...proto, options: undefined, oneofIndex: undefined },
    oneof: oneof?.name,
  });
  t.deepEqual(message.fields.map(shape), original.fields.filter(isOld).map(shape), message.typeName);
  const newer = original.fields.filter((field) => !isOld(field));
  t.deepEqual(
    message.proto.reservedRange.map(({ start }) => start),
    newer.map(({ number }) => number),
    message.typeName,
  );
  t.deepEqual(
    message.proto.reservedName,
    newer.map(({ name }) => name),
    message.typeName,
  );
}

/** Messages of the view that no method leads to, though one did. */
function unused(view: FileRegistry): readonly string[] {
  const before = reached(sources.registry);
  const now = reached(view);
  return internalMessages(view)
    .map(({ typeName }) => typeName)
    .filter((name) => before.has(name) && !now.has(name));
}

function reached(registry: FileRegistry): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (message: DescMessage): void => {
    if (names.has(message.typeName)) return;
    names.add(message.typeName);
    for (const field of message.fields) if (field.message) add(field.message);
  };
  for (const file of registry.files) {
    for (const { methods } of file.services) for (const { input, output } of methods) [input, output].forEach(add);
  }
  return names;
}

function commentOf(desc: DescMessage | DescField): string {
  return placesOf(desc.kind === 'message' ? desc.file : desc.parent.file).comment(desc);
}
