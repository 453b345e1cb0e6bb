import { CommitUnknown } from '../../db/store.js';
import { Fault, isFault } from '../../errors/fault.js';
import { InDoubt } from '../../flow/in-doubt.js';

/** Told of an error that nobody foresaw, before the caller gets `INTERNAL` and the request id in its place. */
export type Report = (
  error: unknown,
  where: { readonly method: string; readonly requestId: string; readonly projectId: string },
) => void;

/** What the caller is told of an error: our faults as they are, and nothing of any other. */
export function faultFor(error: unknown, where: Parameters<Report>[1], report: Report): Fault {
  if (isFault(error)) return error;
  // what node's own functions throw for a signal; its reason is the call's fault
  if (error instanceof Error && error.name === 'AbortError' && isFault(error.cause)) return error.cause;
  if (error instanceof InDoubt) return new Fault('OutcomeUnknown', { resourceId: error.resourceId }, { cause: error });
  if (error instanceof CommitUnknown) return new Fault('OutcomeUnknown', { resourceId: '' }, { cause: error });
  report(error, where);
  return new Fault('Internal', { requestId: where.requestId }, { cause: error });
}
