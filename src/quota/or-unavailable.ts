import { Fault } from '../errors/fault.js';
import { NoAnswer } from '../redis/connection.js';

/** The answer; where there was none in time, Fault QuotaUnavailable. For what changes nothing, or may be repeated. */
export async function orUnavailable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NoAnswer) throw new Fault('QuotaUnavailable', { reason: error.message }, { cause: error });
    throw error;
  }
}
