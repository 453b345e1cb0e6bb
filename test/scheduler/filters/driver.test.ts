import test from 'ava';
import { Functions } from '#src/scheduler/evaluator/functions.js';
import { driverFilter } from '#src/scheduler/filters/driver.js';
import { jsonFilter } from '#src/scheduler/filters/json.js';
import { PythonError } from '#src/scheduler/python/python-error.js';
import { poolAt, requestOf } from '../../replay/scheduler/recorded.js';

const filter = driverFilter(new Functions());

test('the reason quotes the function, and says why it could not be evaluated', (t) => {
  const pool = poolAt('h@b#p', { filter_function: 'volume.size < capabilities.most', most: 10 });
  const small = requestOf({ request_spec: { volume_properties: { size: 5 } } });
  const large = requestOf({ request_spec: { volume_properties: { size: 50 } } });
  t.true(filter.passes(pool, small));
  t.false(filter.passes(pool, large));
  t.is(filter.reason(pool, large), 'its filter_function does not hold (volume.size < capabilities.most)');
  const broken = poolAt('h@b#p', { filter_function: 'volume.size / 0' });
  t.false(filter.passes(broken, small));
  t.regex(filter.reason(broken, small), /cannot be evaluated: .*divides by zero/);
});

test('a query nested a hundred thousand deep is refused, for this request only', (t) => {
  const json = jsonFilter();
  const deep = requestOf({ scheduler_hints: { query: `${'['.repeat(100_000)}${']'.repeat(100_000)}` } });
  const pool = poolAt('h@b#p');
  t.throws(() => json.passes(pool, deep), { instanceOf: PythonError });
  t.true(json.passes(pool, requestOf({ scheduler_hints: { query: '["=", "$host", "h@b#p"]' } })));
});

test('a query sees what a pool reports, and nothing of JavaScript', (t) => {
  const json = jsonFilter();
  const asks = (query: string) =>
    json.passes(poolAt('h@b#p', { tier: 'gold' }), requestOf({ scheduler_hints: { query } }));
  t.true(asks('["=", "$capabilities.tier", "gold"]'));
  t.false(asks('["=", "$constructor", "$constructor"]'));
  t.false(asks('["=", "$capabilities.__proto__", "$capabilities.__proto__"]'));
});
