import { Registry } from 'prom-client';
import test from 'ava';
import { Counter, Histogram, Readings } from '#src/telemetry/series.js';

/** The lines of a metric, without HELP and TYPE. */
async function linesOf(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('a counter has a series for each combination of labels, quoted as Prometheus reads it', async (t) => {
  const registry = new Registry();
  const counter = new Counter({ name: 'a_total', help: 'As.', labels: ['x', 'y'] }, registry);

  counter.with('1', 'two "words"\\').inc();
  counter.with('1', 'two "words"\\').inc(2);
  counter.with('1', '').inc();

  t.deepEqual(await linesOf(registry), ['a_total{x="1",y="two \\"words\\"\\\\"} 3', 'a_total{x="1",y=""} 1']);
});

test('the buckets of a histogram are cumulative, and a value on a bound is below it', async (t) => {
  const registry = new Registry();
  const histogram = new Histogram({ name: 'a_seconds', help: 'As.' }, [0.1, 1], registry);

  for (const seconds of [0.05, 0.1, 0.5, 3]) histogram.with().observe(seconds);

  t.deepEqual(await linesOf(registry), [
    'a_seconds_bucket{le="0.1"} 2',
    'a_seconds_bucket{le="1"} 3',
    'a_seconds_bucket{le="+Inf"} 4',
    'a_seconds_sum 3.65',
    'a_seconds_count 4',
  ]);
});

test('no caller can make series without end: what is too many is counted together', async (t) => {
  const registry = new Registry();
  const counter = new Counter({ name: 'a_total', help: 'As.', labels: ['x'] }, registry);

  for (let index = 0; index < 5_000; index += 1) counter.with(`value-${index}`).inc();

  const lines = await linesOf(registry);
  t.is(lines.length, 1_001);
  t.true(lines.includes('a_total{x="other"} 4000'), lines.at(-1));
});

test('a reading that fails or hangs is left out, and the others are there', async (t) => {
  const registry = new Registry();
  const readings = new Readings({ name: 'a_bytes', help: 'As.', labels: ['x'] }, registry);
  readings.from(() => Promise.reject(new Error('the database is away')));
  readings.from(() => new Promise(() => undefined));
  readings.from(() => [[1, 'one']]);
  const withdraw = readings.from(async () => [[2, 'two']]);

  t.deepEqual(await linesOf(registry), ['a_bytes{x="one"} 1', 'a_bytes{x="two"} 2']);
  withdraw();
  t.deepEqual(await linesOf(registry), ['a_bytes{x="one"} 1']);
});

test('two metrics of one name are refused', (t) => {
  const registry = new Registry();
  new Counter({ name: 'a_total', help: 'As.' }, registry);
  t.throws(() => new Counter({ name: 'a_total', help: 'Others.' }, registry), { message: /a_total/ });
});
