import test from 'ava';

import { list, record, type OutputOptions } from '#src/cli/output.js';
import { cli, fakeApiFor, volume } from '../support/cli.js';

const STEERING = 'a\u001b[2J\nb\u009b31m\u202ec\u007f\u2028';
const ESCAPED = 'a\\u001b[2J\\nb\\u009b31m\\u202ec\\u007f\\u2028';
const ROWS = [
  { Name: 'first', Size: 1, Properties: { 'a b': 'it\'s "x"' } },
  { Name: undefined, Size: 20, Properties: {} },
];
const as = (format: OutputOptions['format'], columns: readonly string[] = []): OutputOptions => ({ format, columns });

test('every format shows the chosen columns in the given order, numbers as numbers', async (t) => {
  const { address } = await fakeApiFor(t, { listVolumes: () => ({ volumes: [volume()] }) });

  const asJson = await cli(['--api', address, 'volume', 'list', '-f', 'json', '-c', 'size', '-c', 'ID']);
  const asValue = await cli(['--api', address, '-f', 'value', 'volume', 'list', '-c', 'Name', '-c', 'Status']);

  t.deepEqual(Object.entries((JSON.parse(asJson.stdout) as object[])[0] ?? {}), [
    ['Size', 1],
    ['ID', volume().id],
  ]);
  t.is(asValue.stdout, 'first available\n');
});

test('columns beyond the usual ones can be asked for; one that does not exist is a mistake of usage', async (t) => {
  const { address } = await fakeApiFor(t, { listVolumes: () => ({ volumes: [volume()] }) });

  const more = await cli(['--api', address, 'volume', 'list', '-f', 'value', '-c', 'project id']);
  const none = await cli(['--api', address, 'volume', 'list', '-c', 'Nmae']);

  t.is(more.stdout, 'demo\n');
  t.is(none.code, 2);
  t.regex(none.stderr, /^There is no column 'Nmae'; there are ID, Name, Status, Size, Attached to, Type, /);
});

test('an empty list is an empty table, an empty JSON or YAML list, a head of CSV, or nothing', async (t) => {
  const columns = ['ID', 'Name'];
  t.regex(await list([], columns, as('table')), /\n\| ID \| Name \|\n/);
  t.is(await list([], columns, as('json')), '[]\n');
  t.is(await list([], columns, as('yaml')), '[]\n');
  t.is(await list([], columns, as('csv')), '"ID","Name"\n');
  t.is(await list([], columns, as('value')), '');
});

test('CSV doubles its quotes, and YAML is a list of mappings', async (t) => {
  const columns = ['Name', 'Size', 'Properties'];
  t.is(await list(ROWS, columns, as('csv')), '"Name","Size","Properties"\n"first",1,"a b=\'it\'s ""x""\'"\n"",20,""\n');
  t.is(
    await list(ROWS, columns, as('yaml')),
    '- Name: "first"\n  Size: 1\n  Properties: {"a b":"it\'s \\"x\\""}\n- Name: null\n  Size: 20\n  Properties: {}\n',
  );
});

test('a record is a mapping in JSON and YAML, a row in CSV, a line a field in value', async (t) => {
  const row = { id: 'v1', size: 2, created_at: new Date('2026-01-02T03:04:05Z'), host: undefined };
  t.deepEqual(JSON.parse(await record(row, as('json'))), {
    id: 'v1',
    size: 2,
    created_at: '2026-01-02T03:04:05.000Z',
    host: null,
  });
  t.is(await record(row, as('yaml')), 'id: "v1"\nsize: 2\ncreated_at: "2026-01-02T03:04:05.000Z"\nhost: null\n');
  t.is(await record(row, as('csv', ['size', 'id'])), '"size","id"\n2,"v1"\n');
  t.is(await record(row, as('value')), 'v1\n2\n2026-01-02T03:04:05.000Z\n\n');
});

test('nothing that a user chose can steer the terminal, whatever the format', async (t) => {
  const rows = [{ Name: STEERING, Properties: { [STEERING]: STEERING } }];
  for (const format of ['table', 'json', 'value', 'csv', 'yaml'] as const) {
    const text = (await list(rows, ['Name', 'Properties'], as(format))) + (await record(rows[0] ?? {}, as(format)));
    t.notRegex(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/, format);
  }
  t.is(await record({ Name: STEERING }, as('value')), `${ESCAPED}\n`);
  t.deepEqual(JSON.parse(await record({ Name: STEERING }, as('json'))), { Name: STEERING }, 'and JSON loses nothing');
});

test('letters of any script are shown as they are', async (t) => {
  t.is(await record({ Name: 'größe 大きさ 👩‍💻' }, as('value')), 'größe 大きさ 👩‍💻\n');
});
