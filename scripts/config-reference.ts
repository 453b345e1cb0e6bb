// usage: npm run gen:config    writes docs/config.md from the schema

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ROOT } from '#scripts/prepare.mjs';
import { BACKEND_OPTIONS } from '#src/config/backends.js';
import { environmentName, type Option } from '#src/config/option.js';
import { GROUPS, type OptionField, SCHEMA } from '#src/config/schema.js';

/** The page. */
export const FILE = join(ROOT, 'docs/config.md');

/** The reference of every option, in Markdown. */
export function configReference(): string {
  const options = Object.entries<Option<unknown>>(SCHEMA);
  const starts = new Map<string, string>(GROUPS.map(({ title, from }) => [from satisfies OptionField, title]));
  const sections = options.flatMap(([field, option]) => {
    const title = starts.get(field);
    return [...(title === undefined ? [] : heading(`## ${title}`)), rowOf(option)];
  });
  const backend = Object.entries(BACKEND_OPTIONS).map(([key, { domain, defaultText, help }]) =>
    row(`\`${key}\``, domain, defaultText, help),
  );
  return [
    ...INTRODUCTION,
    ...sections,
    ...heading('### Each backend'),
    ...backend,
    '',
    ...BACKEND_ENVIRONMENT,
    '',
  ].join('\n');
}

const INTRODUCTION = [
  '# Configuration',
  '',
  '<!-- Generated from src/config/schema.ts by `npm run gen:config`; do not edit. -->',
  '',
  'Defaults < file < environment < flags. The file is TOML: `--config FILE`, else `CINDER_CONFIG`, else',
  '`<data_dir>/cinder-grpc.toml` where that exists. Every option is a key of the file, a variable of the environment and a flag',
  'of `serve`, `db` and `config`: `quota_volumes`, `CINDER_QUOTA_VOLUMES`, `--quota-volumes`. An empty variable counts as unset.',
  '`cinder-grpc config show` prints every value, where it came from, and no secret.',
  '',
  'What is wrong is said all at once, and nothing starts. A key or a `CINDER_…` variable that nobody knows is an error, since it',
  'is most often a slip that would leave a default in force; only the variables that Kubernetes makes for services',
  '(`…_SERVICE_HOST`, `…_PORT_8776_TCP`) are passed over.',
];

const BACKEND_ENVIRONMENT = [
  'In the file they are tables, `[backends.ssd]`; a table of a backend that is not enabled is not used, with a warning at the',
  'start. In the environment: `CINDER_BACKENDS_SSD_PATH`. A backend without a table has defaults only.',
];

function heading(text: string): readonly string[] {
  return ['', text, '', '| option | values | default | |', '| --- | --- | --- | --- |'];
}

function rowOf({ name, domain, defaultText, help, isSecret }: Option<unknown>): string {
  const names = `\`${name}\`<br>\`${environmentName(name)}\``;
  return row(names, domain, defaultText, isSecret !== false ? `${help} Secret.` : help);
}

function row(name: string, ...words: readonly string[]): string {
  return `| ${[name, ...words.map((each) => each.replaceAll(/[|<*]/g, '\\$&'))].join(' | ')} |`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, configReference());
