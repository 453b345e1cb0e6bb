import { Fault } from '../errors/fault.js';
import { faultFromServiceError, isServiceError } from '../rpc/faults-on-the-wire.js';
import type { Connection } from './volumes-api.js';

/** An error of a request as sentences: what is wrong, field by field, then the reason and the request id for the operators. */
export function explain(error: unknown, { api, requestId }: Pick<Connection, 'api' | 'requestId'>): string {
  if (!isServiceError(error)) return error instanceof Error ? error.message : String(error);
  const fault = faultFromServiceError(error);
  if (fault instanceof Fault) {
    const lines = Fault.is(fault, 'InvalidInput') ? invalidInput(fault) : [fault.message];
    return [...lines, `(${fault.reason}, request ${requestId})`].join('\n');
  }
  if (fault.code === 'UNAVAILABLE' && fault.reason === '') {
    return `No API answers at ${api}. ${fault.message.replace(/ Resolution note:\s*$/, '')}\nStart one with \`cinder-grpc serve\`, or name another with --api.`;
  }
  return `${fault.message}\n(${fault.reason || fault.code}, request ${requestId})`;
}

function invalidInput({ facts: { violations, omitted } }: Fault<'InvalidInput'>): readonly string[] {
  const fields = violations.map(({ field, description }) => `  ${field}: ${description}`);
  return ['Invalid input.', ...fields, ...(omitted > 0 ? [`  and ${omitted} more`] : [])];
}
