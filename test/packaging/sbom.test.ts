import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { notPermissive, sbom } from '#scripts/sbom.mjs';
import { ROOT } from '../support/process.js';

interface Locked {
  readonly version: string;
  readonly dev?: boolean;
}

test('the bill of materials names everything that is installed with the product, by version', async (t) => {
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const installed = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(
      ([path, { version }]) => `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`,
    );
  const { components, metadata } = sbom();
  const named = new Set(components.map(({ name, version }) => `${name}@${version ?? ''}`));
  t.is(metadata.component.name, 'cinder-grpc');
  t.true(installed.length > 50);
  t.deepEqual(
    installed.filter((each) => !named.has(each)),
    [],
  );
});

test('nothing is shipped under a licence that asks for more than its text and a name', (t) => {
  const bill = sbom();
  t.deepEqual(notPermissive(bill), []);
  const of = (license: object): string[] =>
    notPermissive({ components: [{ name: 'a', version: '1', licenses: [license] }] });
  t.deepEqual(of({ license: { id: 'GPL-3.0-only' } }), ['a@1: GPL-3.0-only']);
  t.deepEqual(of({ expression: 'MIT AND GPL-2.0' }), ['a@1: MIT AND GPL-2.0']);
  t.deepEqual(of({ expression: '(MIT OR GPL-2.0)' }), []);
  t.deepEqual(notPermissive({ components: [{ name: 'a', version: '1' }] }), ['a@1: no licence']);
});
