import { Fault } from '../errors/fault.js';
import { type Cast, type CastResult, CastOutcome as WireOutcome, DeliverRequest } from '../gen/cinder/rpc/v1/casts.js';
import { BUSY, type CastOutcome, CLAIMED, type IncomingCast, MAX_CASTS, SUPERSEDED } from './casts.js';
import { contextFromCast } from './context.js';
import type { ResourceType } from './versions.js';

/** The casts of a request. Throws Fault InvalidInput for more than MAX_CASTS, and for bytes that are no request. */
export function castsIn(bytes: Buffer): readonly Cast[] {
  let description = `at most ${MAX_CASTS} casts are taken at once`;
  try {
    const { casts } = DeliverRequest.decode(bytes);
    if (casts.length <= MAX_CASTS) return casts;
  } catch {
    description = 'the request cannot be decoded: its bytes are not of the message type';
  }
  throw new Fault('InvalidInput', { violations: [{ field: 'casts', description }], omitted: 0 });
}

/** A cast whose method and version were checked. The arguments are not read here. */
export function incomingCast(cast: Cast, resourceType: ResourceType): IncomingCast {
  return {
    resourceType,
    resourceId: cast.resourceId,
    epoch: cast.epoch,
    method: cast.method,
    version: cast.version,
    target: cast.target,
    args: cast.args,
    context: contextFromCast(cast.context),
  };
}

/** A fault as the outcome of one cast among others. */
export function refusal(fault: Fault): CastOutcome {
  return { outcome: 'refused', reason: fault.reason, message: fault.message };
}

export function resultToWire({ outcome, reason, message }: CastOutcome): CastResult {
  return { outcome: TO_WIRE[outcome], reason, message };
}

/** An outcome that this code does not know is a refusal: the row stays. */
export function resultFromWire({ outcome, reason, message }: CastResult): CastOutcome {
  return FROM_WIRE.get(outcome) ?? { outcome: 'refused', reason, message };
}

const TO_WIRE = {
  claimed: WireOutcome.CLAIMED,
  superseded: WireOutcome.SUPERSEDED,
  busy: WireOutcome.BUSY,
  refused: WireOutcome.REFUSED,
} as const;

const FROM_WIRE: ReadonlyMap<WireOutcome, CastOutcome> = new Map([
  [WireOutcome.CLAIMED, CLAIMED],
  [WireOutcome.SUPERSEDED, SUPERSEDED],
  [WireOutcome.BUSY, BUSY],
]);
