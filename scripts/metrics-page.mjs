// usage: node scripts/metrics-page.mjs    writes docs/metrics.md from the built metrics

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { format } from 'prettier';

import { createMetrics } from '../dist/telemetry/metrics.js';

/** The page. */
export const FILE = new URL('../docs/metrics.md', import.meta.url);

/** What the metrics of a section are about, by the beginning of their names; the first that fits. */
const SECTIONS = [
  ['Calls', /^grpc_/],
  ['Work', /^cinder_(flow|task|cast|work|unfinished|oldest_unfinished|heartbeat|serving)/],
  ['Quota', /^cinder_(quota|oldest_settlement|redis)/],
  ['Records, backends and watches', /^cinder_(sql|driver|backends|storage|quarantined|orphans|watch|events)/],
  ['Placement', /^cinder_scheduler/],
  ['Process', /^(process|nodejs|cinder_build)/],
];

const HEAD = `# Metrics

Made from \`src/telemetry\` by \`npm run gen:metrics\`; do not edit.

Every process shows them at \`http://<metrics_listen>/metrics\` in Prometheus' text format, at most a second old. Times are
seconds, sizes bytes. Labels are names of ours: none carries an id, a project or a host, and a metric has at most 1,000
series. What is said of the whole installation is the same in every process: take the \`max\`, not the \`sum\`. What to
watch and when to wake somebody: [operating.md](operating.md#what-to-watch), [cinder-grpc.rules.yml](../packaging/prometheus/cinder-grpc.rules.yml).
`;

/** What there is: name, type, help and labels of every metric of a process. */
export function allMetrics() {
  const { registry, close } = createMetrics({ version: '0', streaming: new Set() });
  close();
  return registry.getMetricsAsArray().map(({ name, type, help, labels }) => ({ name, type, help, labels }));
}

/** @returns {Promise<string>} Markdown */
export async function metricsPage() {
  const metrics = allMetrics();
  const homeless = metrics.find(({ name }) => !SECTIONS.some(([, names]) => names.test(name)));
  if (homeless) throw new Error(`${homeless.name} belongs to no section of the page`);
  const sections = SECTIONS.map(([title, names]) => {
    const rows = metrics.filter(({ name }) => names.test(name)).map(row);
    return [`## ${title}`, ['| metric | type | labels | |', '| --- | --- | --- | --- |', ...rows].join('\n')].join(
      '\n\n',
    );
  });
  return format([HEAD, ...sections].join('\n\n'), { parser: 'markdown' });
}

function row({ name, type, help, labels }) {
  return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help.replaceAll('|', '\\|')} |`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, await metricsPage());
