import { createHash, timingSafeEqual } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import { Fault } from '../../errors/fault.js';
import { first } from '../context.js';
import { RPC_SECRET } from '../headers.js';

/** Refuses peers that do not know the installation's secret; with an empty secret, nobody. Throws Fault NotAuthenticated. */
export function secretGate(secret: string): (metadata: Metadata) => void {
  if (!secret) return () => undefined;
  const expected = digest(secret);
  return (metadata) => {
    // digests have one length, and compare in one time
    if (!timingSafeEqual(digest(first(metadata, RPC_SECRET)), expected)) {
      throw new Fault('NotAuthenticated', {
        reason: `The metadata '${RPC_SECRET}' is missing or not the installation's.`,
      });
    }
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
