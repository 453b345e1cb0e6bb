/** A message as ts-proto holds it. */
type Message = Readonly<Record<string, unknown>>;

/** Says a field in the words it had before; the field itself is then left out. */
export type Former = (message: Message) => Message;

/**
 * Fields of objects that changed their form, by `Object.field`: how they are said to who knows the old form only. What is read in
 * the old form is read in `objects-on-the-wire.ts`.
 */
const FORMER: ReadonlyMap<string, Former> = new Map([
  // Rule: cinder/db/sqlalchemy/api.py, volume_use_quota_online_data_migration
  ['Volume.use_quota', temporaryVolume],
]);

/** The former form of a field; undefined: it had none. */
export function formerOf(object: string, field: string): Former | undefined {
  return FORMER.get(`${object}.${field}`);
}

/** Key in a volume's administrators' metadata that marked it as one that counts against nobody's quota, before 1.9. */
export const TEMPORARY = 'temporary';

function temporaryVolume(volume: Message): Message {
  if (volume['useQuota'] !== false) return volume;
  const before = (volume['adminMetadata'] ?? []) as Iterable<readonly [string, string]>;
  return { ...volume, adminMetadata: new Map([...before, [TEMPORARY, 'True']]) };
}
