import test from 'ava';
import { ProcessReadiness } from '#src/telemetry/readiness.js';

test('each part says why it is not ready, and one that hangs does not keep the others', async (t) => {
  const readiness = new ProcessReadiness({ timeoutMs: 20 });
  readiness.add('sql', () => Promise.reject(new Error('postgres://cinder:hunter2@db refused')));
  readiness.add('redis', () => new Promise(() => undefined));
  readiness.add('api', () => ({ ready: true }));

  t.deepEqual(await readiness.report(), {
    ready: false,
    parts: {
      sql: { ready: false, reason: 'postgres://cinder:***@db refused' },
      redis: { ready: false, reason: 'no answer within 20 ms' },
      api: { ready: true },
    },
  });
});

test('probes, however many, ask the parts once in the time an answer is good for', async (t) => {
  const readiness = new ProcessReadiness({ maxAgeMs: 60_000 });
  let asked = 0;
  readiness.add('sql', async () => {
    asked += 1;
    return { ready: true };
  });

  await Promise.all(Array.from({ length: 100 }, () => readiness.report()));
  await readiness.report();

  t.is(asked, 1);
});

test('a process that was told to end is not ready from that moment on, whatever was answered before', async (t) => {
  const readiness = new ProcessReadiness({ maxAgeMs: 60_000 });
  readiness.add('sql', () => ({ ready: true }));
  t.true((await readiness.report()).ready);

  readiness.drain();

  t.like(await readiness.report(), { ready: false, parts: { process: { ready: false, reason: 'it is stopping' } } });
});
