import { readFileSync } from 'node:fs';
import test from 'ava';
import { FILE, rpcPage } from '../../scripts/rpc-page.js';
import { rules } from '../support/rpc.js';

const page = rpcPage();

test('docs/rpc.md says what the protos, the managers and the tables say: npm run gen:rpc', async (t) => {
  t.is(readFileSync(FILE, 'utf8'), await page);
});

test('the page of RPCs has every method, with what it is, and where a link leads to it', async (t) => {
  const text = await page;
  const methods = [...rules.internal.values()].flatMap(({ service, methods: all }) =>
    [...all.keys()].map((name) => ({ name, service: service.split('.').at(-1) ?? '' })),
  );
  t.true(methods.length > 70);
  for (const { name, service } of methods) {
    t.regex(text, new RegExp(`^### ${service}/${name}\n\n\\S`, 'm'), name);
    t.true(text.includes(`(#${service}${name}`.toLowerCase()), name);
  }
  t.notRegex(text, /undefined|NaN|\[object/);
});

test('the page of RPCs tells what is built, what is not, and how older peers are served', async (t) => {
  const text = await page;
  const row = (name: string): string => new RegExp(`^\\| \\[${name}\\].*$`, 'm').exec(text)?.[0] ?? '';
  t.regex(row('CreateVolume'), /durable cast +\| yes +\| differs/);
  t.regex(row('CreateSnapshot'), /3\.9 +\| cast +\| in part/);
  t.regex(row('RevertToSnapshot'), /3\.15 +\| durable cast +\| no/);
  t.true(text.includes('- to 3.0-3.9: sent without backup_id (3.0)'));
  t.regex(text, /`image_snap` +\| Snapshot +\| 3\.20; refused below/);
});
