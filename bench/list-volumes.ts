import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { volumeView } from '#src/api/views/volume-view.js';
import { openStore } from '#src/db/open-store.js';
import { migrate } from '#src/db/migrate.js';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import type { VolumeFilters } from '#src/db/volume-filters.js';
import { countVolumes, listVolumes, NEWEST_FIRST } from '#src/db/volume-list.js';
import type { VolumeCursor, VolumeOrder } from '#src/db/volume-order.js';
import { ListVolumesResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { hasPostgres, PostgresServer } from '../test/support/postgres-server.js';
import type { Bench } from './bench.js';
import { figure, percentile } from './support/figures.js';
import { fillPostgres, fillSqlite, PROJECT } from './support/many-volumes.js';

const VOLUMES = Number(process.env['BENCH_VOLUMES'] ?? 1_000_000);
/** Pages read from each place. */
const PAGES = 150;
const PAGE = 100;
const ALL = { projectId: PROJECT } as const;

/** Lists that users ask for, and some that nobody should have to fear. */
const LISTS: readonly (readonly [string, VolumeFilters, VolumeOrder])[] = [
  ['newest first', ALL, NEWEST_FIRST],
  ['by name', ALL, { key: 'name', direction: 'asc' }],
  ['by size, many alike', ALL, { key: 'size', direction: 'desc' }],
  ['of one status', { ...ALL, statuses: ['error'] }, NEWEST_FIRST],
  ['of one status, by name', { ...ALL, statuses: ['error'] }, { key: 'name', direction: 'asc' }],
  ['with a pair that one in 1,000 has', { ...ALL, metadata: new Map([['rare', 'yes']]) }, NEWEST_FIRST],
];

/** Pages of a list of a million volumes, from its start, its middle and its end. */
export const listVolumesBench: Bench = {
  name: 'list-volumes',
  about: `pages of 100 from ${VOLUMES.toLocaleString('en-US')} volumes: read, shown and encoded, beside the bare statement`,

  async run(report) {
    const folder = mkdtempSync(join(tmpdir(), 'cinder-bench-'));
    const server = hasPostgres ? await PostgresServer.start() : undefined;
    try {
      const sqlite = `sqlite:${join(folder, 'cinder.db')}`;
      await migrate(sqlite);
      fillSqlite(join(folder, 'cinder.db'), VOLUMES);
      await measure('SQLite', sqlite, report);
      if (!server) return;
      const postgres = server.url(await server.createDatabase('template1', 'bench'));
      await migrate(postgres);
      await fillPostgres(postgres, VOLUMES);
      await measure('PostgreSQL', postgres, report);
    } finally {
      await server?.destroy();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measure(name: string, url: string, report: Parameters<Bench['run']>[0]): Promise<void> {
  const store = await openStore(url);
  const say = (what: string, { taken, cpuMs }: Times, atMost?: number): void => {
    const [p50, p99] = [percentile(taken, 0.5), percentile(taken, 0.99)];
    const bound = atMost === undefined ? '' : `, at most ${atMost}`;
    report(
      `${name}: ${what} (p99, ms${bound})`,
      figure([p99]),
      `${p99.toFixed(1)}; p50 ${p50.toFixed(1)}; processor ${cpuMs.toFixed(1)}`,
    );
  };
  try {
    say('bare statement of a page', await timed(() => store.read(bare.with({ projectId: PROJECT, limit: PAGE }))));
    for (const [what, filters, order] of LISTS) {
      for (const [place, after] of await places(store, filters, order)) {
        say(`${what}, ${place}`, await pagesFrom(store, filters, order, after), 20);
      }
    }
    const thousand = await timed(async () => encoded(await listVolumes(store, { filters: ALL, limit: 1_000 })), 40);
    say('a page of 1,000', thousand, 25);
    say('total_count of all', await timed(() => countVolumes(store, ALL), 5));
  } finally {
    await store.close();
  }
}

/** The first page, and cursors in the middle and near the end of a list. */
async function places(
  store: Store,
  filters: VolumeFilters,
  order: VolumeOrder,
): Promise<readonly (readonly [string, VolumeCursor | undefined])[]> {
  const reversed: VolumeOrder = { ...order, direction: order.direction === 'asc' ? 'desc' : 'asc' };
  const { next: end } = await listVolumes(store, { filters, order: reversed, limit: PAGE * 2 });
  const middle =
    order.key === 'created_at' && filters === ALL ? { value: VOLUMES / 2, createdAt: VOLUMES / 2, id: '' } : undefined;
  return [
    ['from the start', undefined],
    ...(middle ? ([['from the middle', middle]] as const) : []),
    ...(end ? ([['at the end', end]] as const) : []),
  ];
}

/** Reads page after page; a list that ends begins anew at the same place. */
async function pagesFrom(
  store: Store,
  filters: VolumeFilters,
  order: VolumeOrder,
  begin: VolumeCursor | undefined,
): Promise<Times> {
  let after = begin;
  return timed(async () => {
    const page = await listVolumes(store, { filters, order, limit: PAGE, after });
    encoded(page);
    after = page.next ?? begin;
  });
}

function encoded({ volumes }: Awaited<ReturnType<typeof listVolumes>>): Uint8Array {
  return ListVolumesResponse.encode({ volumes: volumes.map(volumeView), nextPageToken: '' }).finish();
}

interface Times {
  /** One a page, ms. */
  readonly taken: readonly number[];
  /** Of this process a page, ms: the whole page on SQLite; other programs on the machine change it less. */
  readonly cpuMs: number;
}

const WARM_UP = 10;

async function timed(work: () => Promise<unknown>, times = PAGES): Promise<Times> {
  for (let index = 0; index < WARM_UP; index += 1) await work();
  const taken: number[] = [];
  const before = process.cpuUsage();
  for (let index = 0; index < times; index += 1) {
    const from = performance.now();
    await work();
    taken.push(performance.now() - from);
  }
  const { user, system } = process.cpuUsage(before);
  return { taken, cpuMs: (user + system) / 1_000 / times };
}

const bare = statement<{ projectId: string; limit: number }>()(({ db }, p) =>
  db
    .selectFrom('volumes')
    .selectAll()
    .where('project_id', '=', p.projectId)
    .where('deleted_at', 'is', null)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(p.limit),
);
