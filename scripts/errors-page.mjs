// usage: node scripts/errors-page.mjs    writes docs/errors.md from the built catalogue of errors

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { format } from 'prettier';

import { FAULTS } from '../dist/errors/catalogue.js';
import { Fault, reasonOf } from '../dist/errors/fault.js';
import { Status } from '../dist/gen/google/rpc/status.js';
import { ERROR_DOMAIN, statusOf } from '../dist/rpc/faults-on-the-wire.js';

/** The page. */
export const FILE = new URL('../docs/errors.md', import.meta.url);

/** What a caller does about it, in the order of the page. */
const CODES = {
  INVALID_ARGUMENT: 'The request itself is wrong, whatever the state of things: correct it.',
  UNAUTHENTICATED: 'It is not known who calls.',
  PERMISSION_DENIED: 'The caller may not do this.',
  NOT_FOUND: 'It does not exist, or belongs to another project.',
  ALREADY_EXISTS: 'There is one already.',
  FAILED_PRECONDITION: 'The thing is in the wrong state: change that first.',
  OUT_OF_RANGE: 'It is beyond the end.',
  RESOURCE_EXHAUSTED: 'A limit is reached: free something, ask for more quota, or, with `RetryInfo`, try again later.',
  ABORTED: 'Somebody else was in the way and nothing was done: read again, then repeat.',
  UNAVAILABLE: 'Not now: repeat with backoff what is safe to repeat. The published service config does so.',
  DEADLINE_EXCEEDED:
    'The answer did not come in time; what was asked for may have happened. Repeat under the same idempotency key.',
  CANCELLED: 'The caller has left.',
  UNIMPLEMENTED: 'This version cannot do it.',
  INTERNAL: 'Something is broken; the operators find it by the request id.',
};

const HEAD = `# Errors

Made from \`src/errors/catalogue.ts\` by \`npm run gen:errors\`; do not edit.

Every error is a gRPC status with a \`google.rpc.Status\` in \`grpc-status-details-bin\`. In it, always, is a
\`google.rpc.ErrorInfo\` of the domain \`${ERROR_DOMAIN}\` with a **reason** from this page: reasons are stable and only ever
added. Its \`metadata\` has the **facts**, which are all that changes in a message. Write programs against code, reason and
facts, never against the words. \`RequestInfo\` has the request id, by which operators find the call in the logs.

Other details, where the tables name them: \`BadRequest\` lists every bad field at once; \`QuotaFailure\` every limit that the
request is over; \`PreconditionFailure\` what is in which wrong state; \`ResourceInfo\` what the error is about; \`RetryInfo\`
how long to wait before it is worth trying again.

A status without \`ErrorInfo\` is the transport's own: nobody answers there, the deadline passed, the connection broke.
`;

/** @returns {Promise<string>} Markdown */
export async function errorsPage() {
  const names = Object.keys(FAULTS);
  const unknown = names.find((name) => !(FAULTS[name].code in CODES));
  if (unknown) throw new Error(`${unknown} has a code that the page does not explain`);
  const sections = Object.entries(CODES).flatMap(([code, advice]) => {
    const rows = names.filter((name) => FAULTS[name].code === code).map(row);
    if (rows.length === 0) return [];
    return [
      `## ${code}`,
      advice,
      ['| reason | message | facts | details |', '| --- | --- | --- | --- |', ...rows].join('\n'),
    ];
  });
  return format([HEAD, ...sections].join('\n\n'), { parser: 'markdown' });
}

function row(name) {
  const { facts, message, retryAfterMs } = FAULTS[name];
  const examples = Object.fromEntries(Object.entries(facts).map(([key, { kind }]) => [key, example(key, kind)]));
  const sent =
    'over' in examples ? { ...examples, over: examples.over.map((one) => ({ ...one, limit: 0 })) } : examples;
  const details = detailsOf(new Fault(name, sent)).map((detail) =>
    detail === 'RetryInfo' ? `RetryInfo (${retryAfterMs / 1_000} s)` : detail,
  );
  return `| ${[`\`${reasonOf(name)}\``, cell(message(examples)), Object.keys(facts).join(', '), details.join(', ')].join(' | ')} |`;
}

/** A fact that shows its own name in a message. */
function example(key, kind) {
  if (key === 'violations') return [{ field: '{field}', description: '{description}' }];
  if (key === 'over') {
    return [{ resource: '{resource}', limit: '{limit}', inUse: '{in use}', reserved: '', asked: '{asked}' }];
  }
  if (key === 'omitted') return 0;
  return kind === 'json' ? [`{${key}}`] : `{${key}}`;
}

/** What the wire really carries beside ErrorInfo. */
function detailsOf(fault) {
  const [bytes] = statusOf(fault).metadata.get('grpc-status-details-bin');
  return Status.decode(bytes)
    .details.map(({ typeUrl }) => typeUrl.replace(/^.*\./, ''))
    .filter((name) => name !== 'ErrorInfo');
}

function cell(text) {
  return text.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('\n', ' ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, await errorsPage());
