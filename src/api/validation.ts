import { Fault } from '../errors/fault.js';
import type { FieldViolation } from '../errors/catalogue.js';
import { isProjectId, isUuid } from '../objects/ids.js';

/** Violations named in one answer; the rest is only counted. */
const MAX_NAMED = 50;

/** Property names that must never become keys of an object. */
export const POISONOUS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const CONTROL = /[\u0000-\u001f\u007f]/;

/** Gathers every bad field of a request, so that one answer names them all. */
export class Violations {
  readonly #named: FieldViolation[] = [];
  #omitted = 0;

  add(field: string, description: string): void {
    if (this.#named.length < MAX_NAMED) this.#named.push({ field, description });
    else this.#omitted += 1;
  }

  /** Throws Fault InvalidInput if there was any. */
  check(): void {
    if (this.#named.length > 0) throw new Fault('InvalidInput', { violations: this.#named, omitted: this.#omitted });
  }

  /** A UUID in lower case. */
  uuid(field: string, value: string): void {
    if (!isUuid(value)) this.add(field, 'must be a UUID in lower case');
  }

  /** An id of a project: it names keys in Redis, where braces have a meaning. */
  projectId(field: string, value: string): void {
    if (!isProjectId(value)) this.add(field, 'must be 1 to 255 characters of A-Z, a-z, 0-9 and "._:-"');
  }

  /** Text of `min` to `max` characters; control characters are refused, `multiline` allows tabs and line ends. */
  text(field: string, value: string, min: number, max: number, multiline = false): void {
    const length = value.length > max * 2 ? value.length : countOf(value);
    if (length < min || length > max) {
      this.add(field, min > 0 ? `must have ${min} to ${max} characters` : `must have at most ${max} characters`);
    } else if (CONTROL.test(multiline ? value.replace(/[\t\n\r]/g, '') : value)) {
      this.add(field, 'must not have control characters');
    }
  }

  /** User metadata. Rule: cinder/volume/volume_utils.py, `check_metadata_properties`. */
  metadata(field: string, pairs: ReadonlyMap<string, string>, maxPairs: number): void {
    if (pairs.size > maxPairs) this.add(field, `must have at most ${maxPairs} pairs`);
    for (const [key, value] of pairs) {
      const path = `${field}[${JSON.stringify(key.slice(0, 64))}]`;
      if (POISONOUS.has(key)) this.add(path, 'this key is reserved');
      else this.text(path, key, 1, 255);
      this.text(path, value, 0, 255, true);
    }
  }

  /** A page size: 0 is the default, more than the maximum is the maximum (AIP-158). */
  pageSize(field: string, value: number): number {
    if (value < 0) this.add(field, 'must not be negative');
    return value === 0 ? DEFAULT_PAGE_SIZE : Math.min(value, MAX_PAGE_SIZE);
  }
}

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1_000;

/** Refuses one field. */
export function invalid(field: string, description: string): Fault<'InvalidInput'> {
  return new Fault('InvalidInput', { violations: [{ field, description }], omitted: 0 });
}

/** Characters as PostgreSQL and Cinder count them: code points, of which some take two places in a JavaScript string. */
function countOf(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}
