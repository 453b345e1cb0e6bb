import type { Estate } from '../chaos/estate.js';
import { footprintOfMember } from '../chaos/footprint.js';

/** What is looked at again and again: name → figure. */
export interface Sample {
  readonly atMs: number;
  /** Requests that were answered until then. */
  readonly requests: number;
  /** MiB of each process, garbage collected. */
  readonly rss: ReadonlyMap<string, number>;
  /** What must not become more and more: open files of each process, rows of tables, keys of Redis, connections. */
  readonly steady: ReadonlyMap<string, number>;
  /** Rows of tables that keep what was done until `retention_days` or another time is over: so many for each request. */
  readonly kept: ReadonlyMap<string, number>;
}

/** Tables whose rows stay when their work is done, each until its time is over. */
const KEPT = new Set(['volumes', 'volume_metadata', 'events', 'idempotency', 'messages']);

export async function sampleOf(estate: Estate, requests: number): Promise<Sample> {
  await Promise.all(estate.members.map((member) => member.collectGarbage()));
  const footprints = estate.members.map((member) => [member.name, footprintOfMember(member)] as const);
  const tables = await rowsOfTables(estate);
  const of = (isKept: boolean): (readonly [string, number])[] =>
    [...tables].filter(([table]) => KEPT.has(table) === isKept).map(([table, count]) => [`${table}, rows`, count]);
  return {
    atMs: performance.now(),
    requests,
    rss: new Map(footprints.map(([name, { rssMib }]) => [name, rssMib])),
    steady: new Map([
      ...footprints.map(([name, { files }]) => [`${name}, open files`, files] as const),
      ...of(false),
      ['Redis, keys', await estate.redis.admin.dbsize()] as const,
      ['PostgreSQL, connections', estate.members.reduce((sum, { proxies }) => sum + proxies.sql.open, 0)] as const,
    ]),
    kept: new Map(of(true)),
  };
}

async function rowsOfTables(estate: Estate): Promise<ReadonlyMap<string, number>> {
  const tables = await estate.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public' order by 1",
  );
  const counts = new Map<string, number>();
  for (const { name } of tables) {
    const [row] = await estate.query<{ count: number }>(`select count(*)::int as count from "${name}"`);
    counts.set(name, row?.count ?? 0);
  }
  return counts;
}
