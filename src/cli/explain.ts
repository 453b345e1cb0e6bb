import type { CinderError } from '../client/cinder-error.js';
import { printable } from './printable.js';

/** Field of a request → what the user typed for it, e.g. `volume_type` → `--type`. */
export type FieldNames = Readonly<Record<string, string>>;

/** Fields that mean the same in every command. */
const FIELDS: FieldNames = {
  name: '--name',
  description: '--description',
  size: '--size',
  metadata: '--property',
  extra_specs: '--property',
  availability_zone: '--availability-zone',
  volume_id: '<volume>',
  volume_type: '<type>',
  message_id: '<message>',
  project_id: '<project>',
  is_public: '--public',
  idempotency_key: '--idempotency-key',
};

/**
 * An error of a request as sentences: what is wrong, field by field as the user typed them, then the reason and the request
 * id for the operators.
 */
export function explain(error: CinderError, api: string, fields: FieldNames = {}): string {
  const { reason, code, requestId, retryAfterMs } = error;
  const lines = [...whatIsWrong(error, api, { ...FIELDS, ...fields }), ...advice(error, api)];
  const facts = [
    reason || code,
    ...(retryAfterMs === undefined ? [] : [`retry after ${Math.ceil(retryAfterMs / 1_000)} s`]),
    `request ${requestId}`,
  ];
  return [...lines, `(${facts.join(', ')})`].map(printable).join('\n');
}

/** Whether nobody answered: the request was lost on its way there or back. */
export function isUnanswered({ code, reason }: CinderError): boolean {
  return reason === '' && (code === 'UNAVAILABLE' || code === 'DEADLINE_EXCEEDED');
}

function whatIsWrong(error: CinderError, api: string, fields: FieldNames): readonly string[] {
  if (error.violations.length > 0) {
    const violations = error.violations.map(({ field, description }) => `  ${asTyped(field, fields)}: ${description}`);
    const { omitted = 0 } = (error.fault?.facts ?? {}) as { readonly omitted?: number };
    return ['Invalid input.', ...violations, ...(omitted > 0 ? [`  and ${omitted} more`] : [])];
  }
  if (!isUnanswered(error)) return [error.message];
  if (error.code === 'DEADLINE_EXCEEDED') return [`${api} did not answer in time.`];
  return [`No API answers at ${api}: ${lastError(error.message)}`];
}

/** grpc-js tells an error as often as there are layers; the innermost is the one that helps. */
function lastError(message: string): string {
  const [innermost = ''] = message
    .replace(/\s*Resolution note:\s*$/, '')
    .split(/Last error: (?:Error: )?/)
    .slice(-1);
  return innermost.trim() || message;
}

function advice(error: CinderError, api: string): readonly string[] {
  if (error.code === 'UNAUTHENTICATED') {
    return ['Say who calls: --token or CINDER_TOKEN; where the API asks for no token, --project or CINDER_PROJECT_ID.'];
  }
  if (error.code === 'UNAVAILABLE' && error.reason === '') {
    return [`Start one with \`cinder-grpc serve\`, or name another than ${api} with --api or CINDER_API.`];
  }
  return [];
}

/** `metadata["a b"]` → `--property a b`, `scheduler_hints.same_host[0]` → `--hint same_host[0]`. */
function asTyped(field: string, fields: FieldNames): string {
  const known = Object.keys(fields)
    .filter((name) => field === name || field.startsWith(`${name}.`) || field.startsWith(`${name}[`))
    .reduce((longest, name) => (name.length > longest.length ? name : longest), '');
  if (known === '') return field;
  const rest = field.slice(known.length).replace(/^\./, ' ');
  return `${fields[known] ?? known}${rest.replace(/^\["(.*)"\]$/s, ' $1')}`;
}
