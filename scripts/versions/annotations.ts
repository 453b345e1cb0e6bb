import type { DescField, DescMessage, DescMethod, DescService, FileRegistry } from '@bufbuild/protobuf';

import { rpcOptions } from '#src/rpc/rpc-options.js';

import { internalFiles } from './sources.js';

const HEAD = `# Every version rule of the internal protos, for review; written by \`npm run gen:versions\`.
#
# service          binary, oldest and newest version
# service/method   since, kind, durable
# message          object and its newest version
# message.field    since; what happens to it below: drop or refuse
`;

/** Columns that most names fit into. */
const NAME_WIDTH = 76;

/** The list of all version rules, in the order of the protos. */
export function annotations(registry: FileRegistry): string {
  const options = rpcOptions(registry);
  const service = (desc: DescService): string[] => {
    const api = options.apiOf(desc);
    return api
      ? [line(desc.typeName, `${api.binary} ${api.baseline} to ${api.version}`), ...desc.methods.map(method)]
      : [];
  };
  const method = (desc: DescMethod): string => {
    const { since, kind, durable } = options.methodOf(desc) ?? { since: '', kind: undefined, durable: false };
    const baseline = options.apiOf(desc.parent)?.baseline ?? '';
    return line(
      `${desc.parent.typeName}/${desc.name}`,
      [since || baseline, kind, ...(durable ? ['durable'] : [])].join(' '),
    );
  };
  const message = (desc: DescMessage): string[] => {
    const object = options.objectOf(desc);
    return [
      ...(object ? [line(desc.typeName, `${object.name} ${object.version}`)] : []),
      ...desc.fields.flatMap(field),
      ...desc.nestedMessages.flatMap(message),
    ];
  };
  const field = (desc: DescField): string[] => {
    const { since, refuseBelow } = options.fieldOf(desc);
    if (!since && !refuseBelow) return [];
    return [line(`${desc.parent.typeName}.${desc.name}`, `${since || '-'} ${refuseBelow ? 'refuse' : 'drop'}`)];
  };
  const sections = internalFiles(registry)
    .map(({ services, messages }) => [...services.flatMap(service), ...messages.flatMap(message)])
    .filter((lines) => lines.length > 0);
  return [HEAD, ...sections.map((lines) => `${lines.join('\n')}\n`)].join('\n');
}

function line(name: string, rule: string): string {
  return `${name.padEnd(NAME_WIDTH)} ${rule}`;
}
