import { PassThrough } from 'node:stream';

import test from 'ava';

import { createLog, withFields, type LeveledLog, type LogOptions } from '#src/log/log.js';

function logged(options: Partial<LogOptions> = {}): {
  log: LeveledLog;
  text: () => string;
  lines: () => Record<string, unknown>[];
} {
  const stream = new PassThrough();
  const log = createLog({ level: 'info', format: 'json', stream, ...options });
  let all = '';
  const text = (): string => (all += String((stream.read() as Buffer | null) ?? ''));
  return {
    log,
    text,
    lines: () =>
      text()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

test('a line is one JSON object with time, level, message and its fields, in this order', (t) => {
  const { log, lines } = logged({ fields: { host: 'node1' } });

  log.info('volume created', { requestId: 'req-1', sizeGib: 3 });

  const [line] = lines();
  t.deepEqual(Object.keys(line ?? {}), ['time', 'level', 'message', 'host', 'requestId', 'sizeGib']);
  t.regex(String(line?.['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.like(line, { level: 'info', message: 'volume created', host: 'node1', requestId: 'req-1', sizeGib: 3 });
});

test('a line break in a message cannot forge a second line', (t) => {
  const { log, lines } = logged();

  log.info('one\n{"level":"error"}');

  t.is(lines().length, 1);
});

test('what is below the level is not even looked at, and the level can be changed', (t) => {
  const { log, lines } = logged();
  const fields = {
    get costly(): string {
      t.fail('formatted although the level is off');
      return '';
    },
  };

  log.debug('not written', fields);
  log.level = 'debug';
  log.debug('written');
  log.level = 'error';
  log.warn('not written');

  t.deepEqual(
    lines().map(({ message }) => message),
    ['written'],
  );
  t.is(log.level, 'error');
});

test('the parts of a log have levels of their own, set by how their names begin; lines carry the name', (t) => {
  const { log, lines } = logged();
  const volume = log.logger('cinder.volume');
  const rest = ['cinder.volume.file', 'cinder.quota'].map((name) => log.logger(name));
  t.is(log.logger('cinder.volume'), volume);

  log.setLevels('cinder.volume', 'debug');
  for (const one of [log, volume, ...rest]) one.debug('written');
  t.deepEqual(
    lines().map(({ logger }) => logger),
    ['cinder.volume', 'cinder.volume.file'],
  );
  t.deepEqual(
    [...log.levels('')],
    [
      ['cinder', 'info'],
      ['cinder.quota', 'info'],
      ['cinder.volume', 'debug'],
      ['cinder.volume.file', 'debug'],
    ],
  );
  t.deepEqual([...log.levels('cinder.q').keys()], ['cinder.quota']);
  t.is(log.level, 'info', 'its own is untouched');

  log.level = 'warn';
  t.deepEqual([...log.levels('').values()], ['warn', 'warn', 'warn', 'warn'], 'the whole log is set again');
  log.setLevels('', 'error');
  t.deepEqual([...log.levels('').values()], ['error', 'error', 'error', 'error']);
});

test('secrets are masked by name at every depth, and in URLs', (t) => {
  const { log, text } = logged();

  log.info('connect to redis://app:hunter2@host:1', {
    token: 'hunter2',
    nested: { metadata: new Map([['x-auth-token', 'hunter2']]), list: [{ dbPassword: 'hunter2', name: 'kept' }] },
    error: new Error('postgres://u:hunter2@db/x refused', { cause: { secretKey: 'hunter2' } }),
    url: 'redis://:hunter2@host',
  });

  t.false(text().includes('hunter2'), text());
  t.true(text().includes('kept'));
  t.true(text().includes('redis://app:***@host:1'));
});

test('the stack of an error is written at level error only; its name, code and cause always', (t) => {
  const { log, lines } = logged();
  const error = Object.assign(new TypeError('no', { cause: new Error('why') }), { code: 'E_NO' });

  log.warn('tried', { error });
  log.error('gave up', { error });

  const [warned, failed] = lines().map((line) => line['error'] as Record<string, unknown>);
  t.deepEqual(warned, { name: 'TypeError', message: 'no', code: 'E_NO', cause: { name: 'Error', message: 'why' } });
  t.regex(String(failed?.['stack']), /log\.test\.(js|ts)/);
});

test('no value breaks a line: circles, big integers, bytes, invalid dates and endless text', (t) => {
  const { log, lines } = logged();
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;

  log.info('odd', {
    circle,
    big: 2n ** 70n,
    bytes: Buffer.alloc(1_000),
    date: new Date(Number.NaN),
    text: 'x'.repeat(1_000_000),
    items: Array.from({ length: 1_000 }, (_, index) => index),
    missing: undefined,
    nothing: null,
  });

  const [line] = lines();
  t.like(line, { big: '1180591620717411303424', bytes: '[1000 bytes]', date: 'invalid date', nothing: null });
  t.true(JSON.stringify(line).length < 20_000);
  t.false('missing' in (line ?? {}));
});

test('a line that would be too long for a collector keeps what it is about and says that it was shortened', (t) => {
  const { log, lines, text } = logged();
  const items = Array.from({ length: 50 }, (_, index) => `${index} ${'x'.repeat(2_000)}`);

  log.error('too much', { requestId: 'req-1', durationMs: 3, items, error: new Error('y'.repeat(100_000)) });

  const [line] = lines();
  t.like(line, { level: 'error', message: 'too much', requestId: 'req-1', durationMs: 3 });
  t.true(Number(line?.['shortenedFrom']) > 100_000);
  t.true(text().length < 32_769);
});

test('a field named message, level or time does not displace those of the line', (t) => {
  const { log, lines } = logged();

  log.info('the message', { message: 'other', level: 'other', time: 'other' });

  t.like(lines()[0], { message: 'the message', level: 'info' });
});

test('fields of a request are added to each of its lines, and its own come last', (t) => {
  const { log, lines } = logged();

  const request = withFields(log, { requestId: 'req-1', task: 'none' });
  request.info('a');
  request.error('b', { task: 'QuotaReserve' });

  t.like(lines(), [
    { message: 'a', requestId: 'req-1', task: 'none' },
    { message: 'b', requestId: 'req-1', task: 'QuotaReserve' },
  ]);
});

test('for people a line is short, quotes what has spaces, and shows a stack below', (t) => {
  const { log, text } = logged({ format: 'pretty' });

  log.info('made', { resourceId: 'vol-1', why: 'two words' });
  log.error('broken', { error: new Error('boom') });

  const [made, broken, at] = text().split('\n');
  t.regex(made ?? '', /^\d\d:\d\d:\d\d\.\d{3} info  made resourceId=vol-1 why="two words"$/);
  t.regex(broken ?? '', /error broken error="boom"$/);
  t.regex(at ?? '', /^ {4}Error: boom$/);
});

test('auto writes JSON where nobody reads along', (t) => {
  const { log, lines } = logged({ format: 'auto' });

  log.info('x');

  t.is(lines().length, 1);
});
