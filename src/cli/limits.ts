import type { Command } from 'commander';

import type { FieldNames } from './explain.js';
import type { Row } from './output.js';
import { UsageError } from './parts.js';
import { limit, limitPair } from './values.js';

/** The limits that have an option of their own: what the request calls them, the option, and what is limited. */
const OWN = [
  ['volumes', '--volumes', 'how many volumes, -1 for any number'],
  ['gigabytes', '--gigabytes', 'the sizes of volumes and snapshots together, GiB'],
  ['snapshots', '--snapshots', 'how many snapshots'],
  ['backups', '--backups', 'how many backups'],
  ['backup_gigabytes', '--backup-gigabytes', 'their sizes together, GiB'],
  ['groups', '--groups', 'how many groups'],
  ['per_volume_gigabytes', '--per-volume-gigabytes', 'the size of one volume, GiB'],
] as const;

/** Those that a volume type has too. */
const OF_TYPE = ['volumes', 'gigabytes', 'snapshots'] as const;

/** What commander makes of the options. */
export type LimitOptions = {
  readonly volumeType?: string;
  readonly limit: ReadonlyMap<string, number>;
} & Readonly<Record<string, unknown>>;

/** What the user typed for the limits of a request. */
export const LIMIT_FIELDS: FieldNames = {
  limits: '--limit',
  ...Object.fromEntries(OWN.map(([resource, option]) => [`limits["${resource}"]`, option])),
};

/** Adds the options that say limits. */
export function addLimitOptions(command: Command): Command {
  for (const [, option, about] of OWN) command.option(`${option} <limit>`, about, limit);
  return command
    .option('--volume-type <name>', '--volumes, --gigabytes and --snapshots are for volumes of this type')
    .option('--limit <resource=limit>', 'any other resource, by name (repeat for more)', limitPair, new Map());
}

/** The limits that were said, by resource. Throws UsageError when there is none. */
export function limitsIn(options: LimitOptions): Map<string, number> {
  const { volumeType, limit: others } = options;
  const given = OWN.flatMap(([resource, option]): [string, number][] => {
    const value = options[camel(option)];
    return typeof value === 'number' ? [[resource, value]] : [];
  });
  const isOfType = (resource: string): boolean => (OF_TYPE as readonly string[]).includes(resource);
  if (volumeType !== undefined && !given.some(([resource]) => isOfType(resource))) {
    throw new UsageError('--volume-type needs --volumes, --gigabytes or --snapshots.');
  }
  const named = given.map(([resource, value]): [string, number] => [
    volumeType !== undefined && isOfType(resource) ? `${resource}_${volumeType}` : resource,
    value,
  ]);
  const limits = new Map([...others, ...named]);
  if (limits.size === 0) {
    throw new UsageError(`Say what to set: ${OWN.map(([, option]) => option).join(', ')} or --limit.`);
  }
  return limits;
}

/** A row a resource. */
export function limitRows(limits: ReadonlyMap<string, number>): Row[] {
  return [...limits].map(([resource, each]) => ({ Resource: resource, Limit: each }));
}

/** As commander names what an option was given. */
function camel(option: string): string {
  return option.replace(/^--/, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
