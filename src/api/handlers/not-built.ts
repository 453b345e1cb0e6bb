import { Fault } from '../../errors/fault.js';

/** Answers NOT_BUILT for an RPC that the protos declare and this version does not have. */
export function notBuilt(what: string): () => Promise<never> {
  return () => Promise.reject(new Fault('NotBuilt', { what }));
}
