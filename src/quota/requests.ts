import type { FieldViolation } from '../errors/catalogue.js';
import { Fault } from '../errors/fault.js';
import { isProjectId, isUuid } from '../objects/ids.js';
import { type Amounts, isCounted, MAX_AMOUNT } from './resources.js';

/** The longest a reservation may live, ms: a year. */
const MAX_TTL_MS = 365 * 86_400_000;

/** The most resources of one reservation: far more than any request needs, and far fewer than a script can take. */
const MAX_RESOURCES = 300;
/** Characters of an unknown resource that are repeated to who asked. Rule: cinder/db/models.py, Quota.resource. */
const MAX_RESOURCE_LENGTH = 300;

/** What names a project's or a reservation's keys. */
interface Named {
  readonly projectId: string;
  readonly id?: string;
}

/** Refuses what would name keys of nobody. Throws InvalidInput with every field that is wrong. */
export function checkNames({ projectId, id }: Named): void {
  refuse(namesIn({ projectId, ...(id !== undefined && { id }) }));
}

/**
 * Refuses a reservation that cannot be counted, before any key is written. Throws InvalidReservationExpiration,
 * QuotaResourceUnknown with every resource that is none, InvalidInput with every field that is wrong.
 * Rule: cinder/quota.py, DbQuotaDriver.reserve.
 */
export function checkReservation(asked: Required<Named> & { readonly deltas: Amounts; readonly ttlMs: number }): void {
  const { ttlMs, deltas } = asked;
  if (!Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs > MAX_TTL_MS) {
    throw new Fault('InvalidReservationExpiration', { expire: String(ttlMs) });
  }
  const unknown = Object.keys(deltas).filter((resource) => !isCounted(resource));
  if (unknown.length > 0) {
    const named = unknown.sort().map((resource) => resource.slice(0, MAX_RESOURCE_LENGTH));
    throw new Fault('QuotaResourceUnknown', { unknown: named.slice(0, MAX_RESOURCES) });
  }
  refuse([...namesIn(asked), ...amountsIn(deltas, -MAX_AMOUNT)]);
}

/** Refuses amounts that cannot be given back. Throws InvalidInput with every field that is wrong. */
export function checkRelease(release: Required<Named> & { readonly deltas: Amounts }): void {
  refuse([...namesIn(release), ...amountsIn(release.deltas, 0)]);
}

function namesIn({ projectId, id }: Named): FieldViolation[] {
  const bad: FieldViolation[] = [];
  if (!isProjectId(projectId)) bad.push({ field: 'project_id', description: 'must be the id of a project' });
  if (id !== undefined && !isUuid(id)) bad.push({ field: 'id', description: 'must be a UUID in lower case' });
  return bad;
}

function amountsIn(deltas: Amounts, min: number): FieldViolation[] {
  const amounts = Object.entries(deltas);
  if (amounts.length === 0 || amounts.length > MAX_RESOURCES) {
    return [{ field: 'deltas', description: `must name 1 to ${MAX_RESOURCES} resources` }];
  }
  return amounts
    .filter(([, amount]) => !Number.isInteger(amount) || amount < min || amount > MAX_AMOUNT)
    .map(([resource]) => ({
      field: `deltas[${JSON.stringify(resource)}]`,
      description: `must be a whole number from ${min} to ${MAX_AMOUNT}`,
    }));
}

function refuse(violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw new Fault('InvalidInput', { violations, omitted: 0 });
}
