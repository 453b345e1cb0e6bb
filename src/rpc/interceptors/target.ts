import type { Metadata } from '@grpc/grpc-js';
import { Fault } from '../../errors/fault.js';
import { first } from '../context.js';
import { RPC_TARGET } from '../headers.js';

/** Whether this process serves a backend, `host@backend`, or a cluster of that form. */
export type Owns = (target: string) => boolean;

/** The backend a request is meant for; empty: any. Throws Fault NotMyBackend for one that this process does not serve. */
export function requireOwned(metadata: Metadata, owns: Owns): string {
  const target = first(metadata, RPC_TARGET);
  if (target && !owns(target)) throw new Fault('NotMyBackend', { target });
  return target;
}
