import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import test from 'ava';
import { installationFor } from '../support/installation.js';
import { shownBy } from '../support/metrics.js';
import { processFor, ROOT } from '../support/process.js';

interface Rule {
  readonly alert: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const { load } = createRequire(import.meta.url)('js-yaml') as { load: (text: string) => unknown };
const read = (path: string): unknown => load(readFileSync(join(ROOT, 'packaging', path), 'utf8'));

const { groups } = read('prometheus/cinder-grpc.rules.yml') as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

test('every alert says how urgent it is, what is wrong, and what it means', (t) => {
  for (const { alert, labels, annotations } of rules) {
    t.regex(alert, /^Cinder[A-Z]/);
    t.true(['page', 'ticket'].includes(labels.severity), alert);
    t.true(annotations.summary.length > 20 && annotations.description.length > 20, alert);
  }
  t.is(new Set(rules.map(({ alert }) => alert)).size, rules.length);
});

test('every process of compose.yaml is scraped', (t) => {
  const { services } = read('container/compose.yaml') as { services: Record<string, { command?: string[] }> };
  const serving = Object.entries(services).filter(([, { command }]) => command?.[0] === 'serve');
  const { scrape_configs: jobs } = read('prometheus/prometheus.yml') as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  const targets = jobs.flatMap((job) => job.static_configs.flatMap((config) => config.targets));
  t.deepEqual(targets.sort(), serving.map(([name]) => `${name}:8775`).sort());
});

test('the container is healthy while the product is ready, by its own check', async (t) => {
  const installation = await installationFor(t);
  await shownBy(installation.process);
  const [, address = ''] = await installation.process.wrote(/"url":"http:\/\/(127\.0\.0\.1:\d+)\/metrics"/);
  const check = processFor(t, process.execPath, [join(ROOT, 'packaging/container/healthcheck.mjs')], {
    env: { CINDER_METRICS_LISTEN: address },
  });
  t.is(await check.ended(), 0, check.stderr() + check.stdout());
});
