import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a script is called with; the values of a list are arguments one after the other. */
export type ScriptArgs<A extends string> = Readonly<Record<A, string | number | readonly (string | number)[]>>;

/** How a script is called; must agree with the KEYS and ARGV lines of its header, in names and order. */
export interface ScriptSignature<K extends string, A extends string, R> {
  readonly file: URL;
  /** Sent in front of the file: a fragment with functions that several scripts share. @default none */
  readonly prelude?: URL;
  readonly keys: readonly K[];
  readonly args: readonly A[];
  /** Makes a typed answer of the reply. */
  readonly decode: (reply: unknown) => R;
}

/** A script's text; it lacks only the first line, which names the incarnation. */
export interface ScriptText {
  readonly name: string;
  readonly text: string;
}

/** A Lua script whose header and caller agree. */
export interface Script<K extends string, A extends string, R> extends ScriptText {
  /** Number of keys, keys, arguments, in the script's order. */
  readonly call: (keys: Readonly<Record<K, string>>, args: ScriptArgs<A>) => [number, ...(string | number)[]];
  readonly decode: (reply: unknown) => R;
}

/** Reads a script. Throws when its header says other KEYS or ARGV than the caller. */
export function loadScript<const K extends string, const A extends string, R>(
  signature: ScriptSignature<K, A, R>,
): Script<K, A, R> {
  const { file, prelude, keys, args, decode } = signature;
  const name = basename(fileURLToPath(file));
  const text = readFileSync(file, 'utf8');
  agree(name, 'KEYS', declared(text, 'KEYS'), keys);
  agree(name, 'ARGV', declared(text, 'ARGV'), args);
  return {
    name,
    text: (prelude ? readFileSync(prelude, 'utf8') : '') + text,
    call(keyOf, argOf) {
      const call: ReturnType<Script<K, A, R>['call']> = [keys.length];
      for (const key of keys) call.push(keyOf[key]);
      for (const arg of args) {
        const value: string | number | readonly (string | number)[] = argOf[arg];
        if (typeof value === 'object') call.push(...value);
        else call.push(value);
      }
      return call;
    },
    decode,
  };
}

/** The names of a header's `-- KEYS[1] name …` lines, in the order of their numbers; `-- ARGV[3..] name`: a list. */
function declared(text: string, array: 'KEYS' | 'ARGV'): string[] {
  const names: string[] = [];
  for (const [, number, name] of text.matchAll(new RegExp(`^-- ${array}\\[(\\d+)(?:\\.\\.)?\\] +(\\S+)`, 'gm'))) {
    names[Number(number) - 1] = name ?? '';
  }
  return names;
}

function agree(script: string, array: string, header: readonly string[], caller: readonly string[]): void {
  if (header.length === caller.length && caller.every((name, index) => header[index] === name)) return;
  throw new Error(`${script}: its header says ${array} ${header.join(', ')}; its caller says ${caller.join(', ')}`);
}
