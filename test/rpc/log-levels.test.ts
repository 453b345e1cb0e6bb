import { PassThrough } from 'node:stream';
import test from 'ava';
import { createLog } from '#src/log/log.js';
import { getLogLevels, setLogLevels } from '#src/rpc/log-levels.js';

test('levels are said in Cinder’s words, in any case, and set what begins with the prefix', (t) => {
  const log = createLog({ level: 'info', format: 'json', stream: new PassThrough() });
  log.logger('cinder.volume');
  setLogLevels(log, { prefix: 'cinder.v', level: 'wARNING' });
  t.deepEqual(getLogLevels(log, { prefix: '' }).objects, [
    { prefix: 'cinder', level: 'INFO' },
    { prefix: 'cinder.volume', level: 'WARNING' },
  ]);
  setLogLevels(log, { level: 'debug' });
  t.deepEqual(
    getLogLevels(log, undefined).objects.map(({ level }) => level),
    ['DEBUG', 'DEBUG'],
  );
  t.deepEqual(getLogLevels(log, { prefix: 'nova' }).objects, []);
});

test('a level that there is not changes nothing, and is named', (t) => {
  const log = createLog({ level: 'info', format: 'json', stream: new PassThrough() });
  for (const request of [{ level: 'CRITICAL' }, { level: '' }, {}, undefined]) {
    const error = t.throws(() => setLogLevels(log, request), { name: 'InvalidInput' });
    t.regex(error.message, /DEBUG, INFO, WARNING, ERROR/);
  }
  t.is(log.level, 'info');
});
