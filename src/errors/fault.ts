import { FAULTS, type FaultName, type Facts, type StatusCode } from './catalogue.js';

/**
 * The one error class of the product: a name from the catalogue and typed facts. Thrown deep, mapped to gRPC in
 * `rpc/faults-on-the-wire.ts`, rebuilt by the client into the same fault.
 */
export class Fault<N extends FaultName = FaultName> extends Error {
  override readonly name: N;
  readonly facts: Facts<N>;

  constructor(name: N, facts: Facts<N>, options?: { readonly cause?: unknown }) {
    super(messageOf(name, facts), options);
    this.name = name;
    this.facts = facts;
  }

  get code(): StatusCode {
    return FAULTS[this.name].code;
  }

  /** UPPER_SNAKE form of the name, as in `google.rpc.ErrorInfo`. */
  get reason(): string {
    return reasonOf(this.name);
  }

  /** Whether another backend may succeed where this one failed. */
  get reschedulable(): boolean {
    return FAULTS[this.name].reschedule;
  }

  /** How long a caller should wait before it tries again, in ms; absent where trying again is no use. */
  get retryAfterMs(): number | undefined {
    return FAULTS[this.name].retryAfterMs;
  }

  /** Narrows `error` to the named fault. */
  static is<N extends FaultName>(error: unknown, name: N): error is Fault<N> {
    return error instanceof Fault && error.name === name;
  }
}

/** Whether this is a fault, whichever: `instanceof` alone leaves its facts untyped. */
export function isFault(error: unknown): error is Fault {
  return error instanceof Fault;
}

/** `VolumeSizeExceedsLimit` → `VOLUME_SIZE_EXCEEDS_LIMIT`. */
export function reasonOf(name: FaultName): string {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '_').toUpperCase();
}

/** The fault name of an `ErrorInfo` reason, if it is one of ours. */
export function nameOfReason(reason: string): FaultName | undefined {
  return NAMES_BY_REASON.get(reason);
}

const NAMES_BY_REASON = new Map((Object.keys(FAULTS) as FaultName[]).map((name) => [reasonOf(name), name]));

function messageOf<N extends FaultName>(name: N, facts: Facts<N>): string {
  const message = FAULTS[name].message as (facts: Facts<N>) => string;
  return message(facts);
}
