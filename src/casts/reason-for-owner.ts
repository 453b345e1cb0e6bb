import type { FaultName } from '../errors/catalogue.js';
import { isFault } from '../errors/fault.js';
import type { RequestContext } from '../objects/request-context.js';

/** Work whose every owner ended before it did: perhaps it is what ends them, so it is not begun once more. */
export class NeverEnds extends Error {
  override readonly name = 'NeverEnds';

  constructor(timesBegun: number) {
    super(`It was begun ${timesBegun} times and never ended.`);
  }
}

/**
 * Why work failed, for the owner of the volume. `forOwners`: faults whose own words are; of anything else operators have
 * the words, because the names of hosts and pools in them are no user's business.
 */
export function reasonForOwner(
  { requestId }: Pick<RequestContext, 'requestId'>,
  error: unknown,
  forOwners: ReadonlySet<FaultName>,
): string {
  if (isFault(error) && forOwners.has(error.name)) return error.message;
  return error instanceof NeverEnds ? `${error.message} ${causeInLog(requestId)}` : causeInLog(requestId);
}

/** Where operators find what is not for users. */
export function causeInLog(requestId: string): string {
  return `The operators find the cause in the log under ${requestId}.`;
}
