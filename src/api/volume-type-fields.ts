import { invalid, POISONOUS, type Violations } from './validation.js';

/** Extra specs of a type, at most. */
export const MAX_EXTRA_SPECS = 128;

const SPEC_KEY = /^[A-Za-z0-9_.: -]{1,255}$/;
/** Whatever a database, a client or Cinder takes for a UUID: as a name it could not be told from an id. */
const UUID_LIKE = /^\{?(urn:uuid:)?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i;
/** Extra specs with a meaning for the API itself, and what they must be. */
const WHOLE_GIB = /^[1-9]\d{0,9}$/;
const SIZE_SPECS: readonly string[] = ['provisioning:min_vol_size', 'provisioning:max_vol_size'];

/** A new name, without the spaces around it. Rule: cinder/api/schemas/volume_types.py. */
export function typeName(bad: Violations, name: string): string {
  const trimmed = name.trim();
  bad.text('name', trimmed, 1, 255);
  if (UUID_LIKE.test(trimmed)) bad.add('name', 'must not look like a UUID: types are found by id or name');
  return trimmed;
}

/** New words about a type, without the spaces around them. */
export function typeDescription(bad: Violations, description: string): string {
  const trimmed = description.trim();
  bad.text('description', trimmed, 0, 255, true);
  return trimmed;
}

/** The id or name by which a request calls a type. */
export function typeReference(bad: Violations, volumeType: string): void {
  bad.text('volume_type', volumeType, 1, 255);
}

/** Extra specs to be kept. Rule: cinder/api/validation/parameter_types.py, `extra_specs`. */
export function extraSpecs(bad: Violations, specs: ReadonlyMap<string, string>): void {
  if (specs.size > MAX_EXTRA_SPECS) bad.add('extra_specs', TOO_MANY);
  for (const [key, value] of specs) {
    const field = `extra_specs[${JSON.stringify(key.slice(0, 64))}]`;
    if (POISONOUS.has(key)) bad.add(field, 'this key is reserved');
    else if (!SPEC_KEY.test(key)) bad.add(field, SPEC_KEY_WORDS);
    bad.text(field, value, 0, 255);
    if (SIZE_SPECS.includes(key) && !WHOLE_GIB.test(value)) bad.add(field, 'must be a whole number of GiB from 1 on');
  }
}

/** Keys of extra specs to be taken out, each once. */
export function extraSpecKeys(bad: Violations, keys: readonly string[]): ReadonlySet<string> {
  if (keys.length === 0) bad.add('keys', 'must name at least one extra spec');
  if (keys.length > MAX_EXTRA_SPECS) bad.add('keys', `must name at most ${MAX_EXTRA_SPECS} extra specs`);
  keys.slice(0, MAX_EXTRA_SPECS).forEach((key, index) => {
    if (!SPEC_KEY.test(key)) bad.add(`keys[${index}]`, SPEC_KEY_WORDS);
  });
  return new Set(keys);
}

/** Says that a type would have too many extra specs. */
export function tooManyExtraSpecs(): Error {
  return invalid('extra_specs', TOO_MANY);
}

const SPEC_KEY_WORDS = 'must be a key of 1 to 255 characters of A-Z, a-z, 0-9, "-_.:" and space';
const TOO_MANY = `a type has at most ${MAX_EXTRA_SPECS} extra specs, those that stay included`;
