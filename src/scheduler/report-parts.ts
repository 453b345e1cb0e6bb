import { Fault } from '../errors/fault.js';
import { get, isList, type Value } from './python/value.js';
import { reportKey, type CapabilityReport } from './report.js';

/** A report, or one part of it: a part has everything of the report but the other parts' pools. */
export interface ReportPart extends CapabilityReport {
  /** Identifies the report; empty: it is whole. */
  readonly reportId: string;
  /** From 0. */
  readonly part: number;
  /** 0 and 1: it is whole. */
  readonly partCount: number;
}

/** Bounds of what is held of unfinished reports. */
export interface ReportPartsOptions {
  /** How long a report may take to arrive, ms. @default 60000 */
  readonly maxAgeMs: number;
  /** Unfinished reports at a time, one a backend; the oldest makes room. @default 1000 */
  readonly maxUnfinished: number;
  /** Now, ms. */
  readonly now: () => number;
}

/** Pools a part may hold. */
export const MAX_POOLS_PER_PART = 500;
/** Parts a report may have. */
export const MAX_PARTS = 200;

interface Unfinished {
  readonly reportId: string;
  readonly timestamp: number;
  readonly since: number;
  /** By number; a hole is a part that has not come. */
  readonly parts: (ReportPart | undefined)[];
}

/** Puts reports together that arrive in parts, in any order and any number of times. */
export class ReportParts {
  readonly #options: ReportPartsOptions;
  /** By backend, oldest first. */
  readonly #unfinished = new Map<string, Unfinished>();

  constructor(options: ReportPartsOptions) {
    this.#options = options;
  }

  /** Unfinished reports at the moment. */
  get unfinishedCount(): number {
    return this.#unfinished.size;
  }

  /**
   * The whole report once its last part is here, with the pools in the parts' order; undefined until then. A part of a
   * newer report of the same backend drops the older one. Throws InvalidInput for a part that cannot be one.
   */
  add(part: ReportPart): CapabilityReport | undefined {
    checkPart(part);
    if (part.reportId === '' || part.partCount <= 1) return part;
    this.#forgetOld();
    const key = reportKey(part);
    const unfinished = this.#unfinishedFor(key, part);
    if (unfinished === undefined) return undefined;
    unfinished.parts[part.part] = part;
    const parts = unfinished.parts.filter((known) => known !== undefined);
    if (parts.length < unfinished.parts.length) return undefined;
    this.#unfinished.delete(key);
    return joined(parts, part);
  }

  #unfinishedFor(key: string, part: ReportPart): Unfinished | undefined {
    const known = this.#unfinished.get(key);
    if (known?.reportId === part.reportId && known.parts.length === part.partCount) return known;
    if (known !== undefined && known.timestamp > part.timestamp) return undefined;
    const begun: Unfinished = {
      reportId: part.reportId,
      timestamp: part.timestamp,
      since: this.#options.now(),
      parts: Array.from({ length: part.partCount }, () => undefined),
    };
    this.#unfinished.delete(key); // so that it is set anew as the youngest
    if (this.#unfinished.size >= this.#options.maxUnfinished) this.#forgetOldest();
    this.#unfinished.set(key, begun);
    return begun;
  }

  #forgetOld(): void {
    const oldest = this.#options.now() - this.#options.maxAgeMs;
    for (const [key, { since }] of this.#unfinished) {
      if (since >= oldest) return; // the rest is younger
      this.#unfinished.delete(key);
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#unfinished.keys();
    if (oldest !== undefined) this.#unfinished.delete(oldest);
  }
}

function checkPart({ part, partCount, capabilities }: ReportPart): void {
  const violations = [
    ...(poolsOf(capabilities).length > MAX_POOLS_PER_PART
      ? [{ field: 'capabilities.pools', description: `at most ${MAX_POOLS_PER_PART} pools in a part` }]
      : []),
    ...(Number.isInteger(partCount) && partCount >= 0 && partCount <= MAX_PARTS
      ? []
      : [{ field: 'part_count', description: `must be 0 to ${MAX_PARTS}, is ${partCount}` }]),
    ...(Number.isInteger(part) && part >= 0 && part < Math.max(partCount, 1)
      ? []
      : [{ field: 'part', description: `must be 0 or more and less than part_count, is ${part}` }]),
  ];
  if (violations.length > 0) throw new Fault('InvalidInput', { violations, omitted: 0 });
}

function joined(
  parts: readonly ReportPart[],
  { host, clusterName, timestamp, clockAheadMs = 0, capabilities }: ReportPart,
): CapabilityReport {
  const pools = parts.flatMap((part) => poolsOf(part.capabilities));
  const includedClaims = parts.flatMap((part) => part.includedClaims ?? []);
  return { host, clusterName, timestamp, clockAheadMs, capabilities: { ...capabilities, pools }, includedClaims };
}

function poolsOf(capabilities: ReportPart['capabilities']): readonly Value[] {
  const pools = get(capabilities, 'pools');
  return isList(pools) ? pools : [];
}
