import Database from 'libsql';
import pg from 'pg';

/** The project that has them all. */
export const PROJECT = 'bench';

/** One row of `volumes` as an expression of `n`; the texts are alike in both dialects but for these two functions. */
function row(hex: (width: number) => string, spread: string): string {
  const id = `'00000000-0000-7000-8000-' || ${hex(12)}`;
  const status = `case when n % 1000 = 7 then 'error' else 'available' end`;
  return `select ${id}, '${PROJECT}', 'u' || (n % 50), 1, 'volume ' || (${spread}), 'made for a measurement', 1 + n % 500,
    ${status}, 'detached', 'host-' || (n % 40) || '@file#pool', 'nova', '6d1f4c3a-8b0e-4f52-9c1d-2a7e5b9f0c41', n % 2, 0, 1, 3,
    n, n, n, n`;
}

const COLUMNS = `id, project_id, user_id, use_quota, name, description, size, status, attach_status, host, availability_zone,
  volume_type_id, bootable, multiattach, shared_targets, revision, scheduled_at, launched_at, created_at, updated_at`;

/** Every tenth has a pair, every thousandth a rare one. */
const pairs = (hex: (width: number) => string): readonly string[] => [
  `select '00000000-0000-7000-8000-' || ${hex(12)}, 'env', 'prod' from numbers where n % 10 = 0`,
  `select '00000000-0000-7000-8000-' || ${hex(12)}, 'rare', 'yes' from numbers where n % 1000 = 3`,
];

/** Indexes are made when the rows are there, which is many times faster. */
export function fillSqlite(path: string, count: number): void {
  const database = new Database(path);
  const hex = (width: number): string => `printf('%0${width}x', n)`;
  const numbers = `with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${count})`;
  const indexes = database
    .prepare(`select name, sql from sqlite_master where type = 'index' and tbl_name = 'volumes' and sql is not null`)
    .all() as { name: string; sql: string }[];
  database.exec('begin');
  for (const { name } of indexes) database.exec(`drop index ${name}`);
  database.exec(`insert into volumes (${COLUMNS}) ${numbers} ${row(hex, '(n * 7919) % 1000003')} from numbers`);
  for (const some of pairs(hex))
    database.exec(`insert into volume_metadata (volume_id, key, value) ${numbers} ${some}`);
  for (const { sql } of indexes) database.exec(sql);
  database.exec('commit');
  database.close();
}

export async function fillPostgres(url: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const hex = (width: number): string => `lpad(to_hex(n), ${width}, '0')`;
    const numbers = `with numbers as (select generate_series(1, ${count}) as n)`;
    const { rows } = await client.query<{ indexname: string; indexdef: string }>(
      `select indexname, indexdef from pg_indexes where tablename = 'volumes' and indexname <> 'volumes_pkey'`,
    );
    for (const { indexname } of rows) await client.query(`drop index ${indexname}`);
    await client.query(
      `insert into volumes (${COLUMNS}) ${numbers} ${row(hex, '(n::bigint * 7919) % 1000003')} from numbers`,
    );
    for (const some of pairs(hex)) {
      await client.query(`insert into volume_metadata (volume_id, key, value) ${numbers} ${some}`);
    }
    for (const { indexdef } of rows) await client.query(indexdef);
    await client.query('vacuum analyze');
  } finally {
    await client.end();
  }
}
