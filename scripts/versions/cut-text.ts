import type { AnyDesc, DescEnum, DescFile, DescMessage, DescService, FileRegistry } from '@bufbuild/protobuf';

import { placesOf, type Span } from './places.js';
import type { Source } from './sources.js';
import type { View } from './view.js';

/** Lines of a file that go, and lines that come, by line number from 0. */
interface Edit {
  readonly goes: Set<number>;
  /** Before the line of this number. */
  readonly comes: Map<number, readonly string[]>;
}

/**
 * The text of a file as the older version has it, with every comment that still has something to say; undefined when
 * nothing of the file is left. Throws when a declaration that goes shares its line with another.
 */
export function cutText({ name, desc, text }: Source, view: View, registry: FileRegistry): string | undefined {
  const lines = text.split('\n');
  const places = placesOf(desc);
  const edit: Edit = { goes: new Set(), comes: new Map() };
  const remove = (one: AnyDesc): void => removeLines(lines, places.of(one), edit, name);

  const declared = [...messagesIn(desc), ...enumsIn(desc)];
  for (const one of declared) if (!view.has(one)) remove(one);
  for (const message of messagesIn(desc).filter(view.has)) {
    for (const oneof of message.oneofs) if (!oneof.fields.some(view.has)) remove(oneof);
    const gone = message.fields.filter((field) => !view.has(field));
    for (const field of gone) remove(field);
    if (gone.length > 0) edit.comes.set(places.of(message).end.line, reserved(gone, places.of(message)));
    setVersion(lines, message, view, places.of(message));
  }
  for (const service of desc.services) {
    for (const method of service.methods) if (!view.has(method)) remove(method);
    setVersion(lines, service, view, places.of(service));
  }
  if (declared.length > 0 && !declared.some(view.has) && desc.services.length === 0) return undefined;
  for (const index of uselessImports(desc, view, registry)) removeLines(lines, places.ofImport(index), edit, name);
  return written(lines, edit);
}

/** All messages of a file, nested ones too. */
function messagesIn(desc: DescFile): readonly DescMessage[] {
  const nested = (message: DescMessage): DescMessage[] => [message, ...message.nestedMessages.flatMap(nested)];
  return desc.messages.flatMap(nested);
}

function enumsIn(desc: DescFile): readonly DescEnum[] {
  return [...desc.enums, ...messagesIn(desc).flatMap((message) => message.nestedEnums)];
}

/** Takes a declaration away, with the comment right above it. */
function removeLines(lines: readonly string[], { start, end }: Span, { goes }: Edit, file: string): void {
  const before = lines[start.line]?.slice(0, start.column).trim();
  const behind = lines[end.line]?.slice(end.column).trim();
  if (before || (behind && !behind.startsWith('//'))) {
    throw new Error(`${file}:${start.line + 1}: what goes shares its line with something else`);
  }
  let first = start.line;
  while (lines[first - 1]?.trimStart().startsWith('//')) first -= 1;
  for (let line = first; line <= end.line; line += 1) goes.add(line);
}

/** So that nobody takes the numbers and names of newer fields for something else. */
function reserved(gone: readonly { readonly number: number; readonly name: string }[], { start }: Span): string[] {
  const indent = ' '.repeat(start.column + 2);
  return [
    `${indent}// Of newer versions.`,
    `${indent}reserved ${gone.map(({ number }) => number).join(', ')};`,
    `${indent}reserved ${gone.map(({ name }) => `"${name}"`).join(', ')};`,
  ];
}

/** The version that the option of an API or an object says. */
function setVersion(lines: string[], desc: DescService | DescMessage, view: View, { start, end }: Span): void {
  const version = view.versionOf(desc);
  if (!version) return;
  for (let line = start.line; line <= end.line; line += 1) {
    const text = lines[line] ?? '';
    if (!/\bversion: "/.test(text)) continue;
    lines[line] = text.replace(/\bversion: "[^"]*"/, `version: "${version}"`);
    return;
  }
}

/** Imports that were of use, and are no more; options are always of use. */
function uselessImports(desc: DescFile, view: View, registry: FileRegistry): readonly number[] {
  const used = filesUsed(desc, () => true);
  const stillUsed = filesUsed(desc, view.has);
  return desc.proto.dependency.flatMap((name, index) => {
    const file = registry.getFile(name);
    return file && used.has(file) && !stillUsed.has(file) ? [index] : [];
  });
}

function filesUsed(desc: DescFile, has: View['has']): ReadonlySet<DescFile> {
  const fields = messagesIn(desc)
    .filter(has)
    .flatMap((message) => message.fields.filter(has));
  const methods = desc.services.flatMap((service) => service.methods.filter(has));
  return new Set([
    ...fields.flatMap((field) => [field.message ?? [], field.enum ?? []].flat()).map(({ file }) => file),
    ...methods.flatMap(({ input, output }) => [input.file, output.file]),
  ]);
}

/** Where something went, no blank line stays that has nothing to part. */
function written(lines: readonly string[], { goes, comes }: Edit): string {
  if (goes.size === 0) return lines.join('\n');
  return lines
    .flatMap((line, index) => [...(comes.get(index) ?? []), ...(goes.has(index) ? [] : [line])])
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/\{\n\n/g, '{\n')
    .replace(/\n\n( *\})/g, '\n$1')
    .replace(/\n+$/, '\n');
}
