// usage: npm run gen:rpc    writes docs/rpc.md from the protos, the managers and the tables of test/versions

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AnyDesc, DescField, DescMessage, DescMethod, DescService, FileRegistry } from '@bufbuild/protobuf';
import { format } from 'prettier';

import { ROOT } from '#scripts/prepare.mjs';
import { type RpcOptions, rpcOptions } from '#src/rpc/rpc-options.js';
import { compareVersions, versionOf } from '#src/rpc/version-number.js';

import { builtMethods } from './versions/built-methods.js';
import { type Fallbacks, readFallbacks } from './versions/fallbacks.js';
import { placesOf } from './versions/places.js';
import { internalFiles, readSources } from './versions/sources.js';
import { internalServices } from './versions/view.js';

/** The page. */
export const FILE = join(ROOT, 'docs/rpc.md');

const HEAD = `# Internal RPC

Made from the protos, the managers' tables of handlers and \`test/versions/*-matrix.txt\` by \`npm run gen:rpc\`; do not edit.

What the services say to one another, as Cinder's SchedulerAPI and VolumeAPI. Every request carries the version it was
written for in the metadata \`cinder-rpc-version\` (absent: refused); every answer the version of the server in
\`cinder-rpc-server-version\`. A server takes what is not newer than itself, of its own major version. A client sends
nothing that the oldest registered service of the binary would not take: a method that is newer is refused at once
(\`SERVICE_TOO_OLD\`), a newer field is left out, or refused where leaving it out would change what happens.
\`cinder-rpc-target: host@backend\` names the backend a request to a volume service is for.

A **call** waits for the result. A **cast** is taken, and its result shows in the status of its resource; a **durable**
one is a row of \`workers\` before it is sent, and survives every process. A **fan-out** goes once to every living process.
What is declared and **not built** answers \`NOT_BUILT\`, after its version was checked.

[examples/versions.sh](../examples/versions.sh) is a session with grpcurl. How every method fares between peers of every
version: [the scheduler's](../test/versions/scheduler-matrix.txt), [the volume service's](../test/versions/volume-matrix.txt).`;

/** @returns Markdown */
export async function rpcPage(): Promise<string> {
  const { registry } = await readSources();
  const options = rpcOptions(registry);
  const services = internalServices(registry, options);
  const sections = services.flatMap((service) => serviceSections(service, options));
  return format([HEAD, ...sections, objectsSection(registry, options)].join('\n\n'), { parser: 'markdown' });
}

function serviceSections(service: DescService, options: RpcOptions): readonly string[] {
  const api = options.apiOf(service) ?? { binary: '', version: '', baseline: '' };
  const built = builtMethods(api.binary);
  const fallbacks = readFallbacks(api.binary);
  const rows = service.methods.map((method) => {
    const { since, kind } = factsOf(method, options);
    const below = fallbacks.get(method.name)?.length ? 'differs' : '';
    return `| [${method.name}](#${anchor(service, method)}) | ${since} | ${kind} | ${builtWord(method, built)} | ${below} |`;
  });
  return [
    `## ${service.name}`,
    `\`${service.typeName}\`, served by ${api.binary}, versions ${api.baseline} to ${api.version}. ${commentOf(service)}`,
    ['| RPC | since | kind | built | to older peers |', '| --- | --- | --- | --- | --- |', ...rows].join('\n'),
    ...service.methods.flatMap((method) => methodSection(method, options, fallbacks, built)),
  ];
}

function methodSection(
  method: DescMethod,
  options: RpcOptions,
  fallbacks: Fallbacks,
  built: ReadonlySet<string>,
): readonly string[] {
  const { since, kind } = factsOf(method, options);
  const older = fallbacks.get(method.name) ?? [];
  return [
    `### ${method.parent.name}/${method.name}`,
    commentOf(method),
    `Since ${since}; ${kind}; built: ${builtWord(method, built)}.`,
    ...older.map(({ versions, outcome }) => `- to ${versions}: ${outcome}`),
    argumentTable('Arguments', method.input, options),
    ...(method.output.fields.length > 0 ? [argumentTable('Answer', method.output, options)] : []),
  ];
}

function argumentTable(title: string, { fields }: DescMessage, options: RpcOptions): string {
  if (fields.length === 0) return `${title}: none.`;
  const rows = fields.map(
    (field) =>
      `| ${[`\`${field.name}\``, typeOf(field), rulesOf(field, options), cell(commentOf(field))].join(' | ')} |`,
  );
  return [`| ${title} | type | since | |`, '| --- | --- | --- | --- |', ...rows].join('\n');
}

function objectsSection(registry: FileRegistry, options: RpcOptions): string {
  const objects = internalFiles(registry).flatMap(({ messages }) =>
    messages.filter((message) => options.objectOf(message)),
  );
  const rows = objects.map((message) => {
    const { name, version } = options.objectOf(message) ?? { name: '', version: '' };
    return `| ${name} | ${version} | ${fieldsByVersion(message, options)} |`;
  });
  return [
    `## Objects`,
    `What travels in requests has versions of its own. A service registers an entry of their history
(\`object_current_version\`), which stands for a version of each; a sender leaves out what the receiver's does not have.`,
    ['| object | version | fields that came later |', '| --- | --- | --- |', ...rows].join('\n'),
  ].join('\n\n');
}

function fieldsByVersion({ fields }: DescMessage, options: RpcOptions): string {
  const sinceOf = (field: DescField): string => options.fieldOf(field).since;
  const versions = [...new Set(fields.map(sinceOf))].filter((since) => since !== '');
  return versions
    .toSorted((a, b) => compareVersions(versionOf(a), versionOf(b)))
    .map((version) => {
      const came = fields.filter((field) => sinceOf(field) === version);
      return `${version}: ${came.map(({ name }) => `\`${name}\``).join(', ')}`;
    })
    .join('; ');
}

function factsOf(method: DescMethod, options: RpcOptions): { since: string; kind: string } {
  const { since, kind, durable } = options.methodOf(method) ?? { since: '', kind: 'call', durable: false };
  const word = kind === 'fanout' ? 'fan-out' : (kind ?? 'call');
  return { since: since || (options.apiOf(method.parent)?.baseline ?? ''), kind: durable ? `durable ${word}` : word };
}

/** A handler that ends in NOT_BUILT says so in the proto. */
function builtWord(method: DescMethod, built: ReadonlySet<string>): string {
  if (!built.has(method.name)) return 'no';
  return commentOf(method).includes('NOT_BUILT') ? 'in part' : 'yes';
}

function rulesOf(field: DescField, options: RpcOptions): string {
  const { since, refuseBelow } = options.fieldOf(field);
  if (!since) return '';
  return `${since}; ${refuseBelow ? 'refused' : 'left out'} below`;
}

function typeOf(field: DescField): string {
  const { message, enum: values, proto } = field;
  const one = message?.name ?? values?.name ?? SCALARS[proto.type] ?? '';
  if (field.fieldKind === 'map') return 'map';
  return field.fieldKind === 'list' ? `list of ${one}` : one;
}

/** By the numbers of google/protobuf/descriptor.proto. */
const SCALARS: Readonly<Record<number, string>> = {
  ...{
    1: 'double',
    2: 'float',
    3: 'int64',
    4: 'uint64',
    5: 'int32',
    8: 'bool',
    9: 'string',
    12: 'bytes',
    13: 'uint32',
  },
};

function commentOf(desc: AnyDesc & { readonly kind: 'service' | 'rpc' | 'field' }): string {
  return placesOf(desc.kind === 'service' ? desc.file : desc.parent.file).comment(desc);
}

/** As GitHub makes it of the heading. */
function anchor(service: DescService, method: DescMethod): string {
  return `${service.name}${method.name}`.toLowerCase();
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, await rpcPage());
