import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { allMetrics, FILE, metricsPage } from '#scripts/metrics-page.mjs';
import { findTool, ROOT } from '../support/process.js';

const ALERTS = join(ROOT, 'packaging/prometheus/cinder-grpc.rules.yml');

test('docs/metrics.md says what the process shows: npm run gen:metrics', async (t) => {
  t.is(readFileSync(FILE, 'utf8'), await metricsPage());
});

test('every alert, and every line of what to watch, asks for metrics and labels that exist', (t) => {
  const metrics: ReadonlyMap<string, readonly string[]> = new Map(
    allMetrics().map(({ name, labels }: { name: string; labels: readonly string[] }) => [name, labels]),
  );
  const texts = [readFileSync(ALERTS, 'utf8'), readFileSync(join(ROOT, 'docs/operating.md'), 'utf8')];
  const asked = texts.flatMap((text) => [
    ...text.matchAll(/\b((?:cinder|grpc_server|grpc_client|nodejs|process)_[a-z0-9_]+)(?:\{([^}]*)\})?/g),
  ]);
  const named = asked.filter(([, name = '']) =>
    /_(total|seconds|bucket|ratio|up|rows|backends|fds|bytes|waiting)$/.test(name),
  );

  t.true(named.length > 20);
  for (const [, name = '', labels = ''] of named) {
    const known = metrics.get(name.replace(/_(bucket|sum|count)$/, ''));
    t.truthy(known, name);
    for (const [, label = ''] of labels.matchAll(/(\w+)(?:=~|!=|=)"/g))
      t.true(known?.includes(label) || label === 'job', `${name}{${label}}`); // Prometheus adds the job
  }
});

(findTool('promtool') === undefined ? test.skip : test)('the alerts are a rule file that Prometheus takes', (t) => {
  const { status, stdout, stderr } = spawnSync(findTool('promtool') ?? '', ['check', 'rules', ALERTS], {
    encoding: 'utf8',
    timeout: 30_000,
  });

  t.is(status, 0, stdout + stderr);
});
