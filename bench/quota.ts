import { randomUUID } from 'node:crypto';
import { type Amounts, volumeAmounts } from '#src/quota/resources.js';
import { keysOf } from '#src/quota/scripts.js';
import { pause } from '#src/time/deadline.js';
import type { Bench } from './bench.js';
import { type Figure, figure, show } from './support/figures.js';
import { QuotaLoad } from './support/quota-load.js';

const REPEATS = 5;
const CALLS = 20_000;
/** Projects that floor and reservations are spread over. */
const PROJECTS = 500;
const MANY = 100_000;

const FOUR: Amounts = volumeAmounts({ sizeGib: 100, volumeTypeId: randomUUID() });
const TWO: Amounts = { volumes: 1, gigabytes: 100 };

type Report = (what: string, figure: Figure, text: string) => void;

/** The quota scripts: their rate beside five bare commands, what they keep, and what many reservations cost. */
export const quotaBench: Bench = {
  name: 'quota',
  about: 'reservations a second beside five bare commands in one script, 64 in flight; bytes; 100,000 of them',

  async run(report) {
    const load = await QuotaLoad.start();
    try {
      await rates(load, report);
      await sizes(load, report);
      await crowds(load, report);
      await retention(load, report);
    } finally {
      await load.close();
    }
  },
};

async function rates(load: QuotaLoad, report: Report): Promise<void> {
  const all: Record<'floor' | 'four' | 'two' | 'commit', number[]> = { floor: [], four: [], two: [], commit: [] };
  for (let repeat = 0; repeat <= REPEATS; repeat += 1) {
    const projects = await load.projects(PROJECTS);
    const of = (index: number): string => projects[index % PROJECTS] ?? '';
    const floor = await load.rate(CALLS, (index) => load.floor(`floor-${of(index)}`));
    const two = await load.rate(CALLS, (index) => load.reserve(of(index), TWO));
    const ids = new Map<number, string>();
    const fresh = await load.projects(PROJECTS);
    const four = await load.rate(CALLS, async (index) => {
      ids.set(index, await load.reserve(fresh[index % PROJECTS] ?? '', FOUR));
    });
    const commit = await load.rate(CALLS, (index) => load.commit(fresh[index % PROJECTS] ?? '', ids.get(index) ?? ''));
    if (repeat === 0) continue; // warm-up
    all.floor.push(floor);
    all.two.push(two);
    all.four.push(four);
    all.commit.push(commit);
  }
  const ratio = (rates: readonly number[]) => figure(rates.map((rate, i) => rate / (all.floor[i] ?? NaN)));
  report('floor: five commands in one script (calls/s)', figure(all.floor), show(figure(all.floor)));
  report('reserve 4 resources (calls/s)', figure(all.four), show(figure(all.four)));
  report('reserve 2 resources (calls/s)', figure(all.two), show(figure(all.two)));
  report('commit 4 resources (calls/s)', figure(all.commit), show(figure(all.commit)));
  report('reserve 4 ÷ floor (at least 0.4)', ratio(all.four), show(ratio(all.four), 2));
  report('reserve 2 ÷ floor (at least 0.65)', ratio(all.two), show(ratio(all.two), 2));
}

async function sizes(load: QuotaLoad, report: Report): Promise<void> {
  const [project = ''] = await load.projects(1);
  const ids: string[] = [];
  const before = await load.memory();
  await load.rate(MANY, async () => {
    ids.push(await load.reserve(project, FOUR));
  });
  const live = (await load.memory()) - before;
  await load.rate(MANY, (index) => load.commit(project, ids[index] ?? ''));
  // the emptied tables shrink a little later
  await load.rate(1_000, () => load.reclaim(project));
  const tombstones = (await load.memory()) - before;
  one(report, 'a live reservation of 4 resources, with index and request id (bytes, at most 300)', live / MANY);
  one(report, 'a tombstone (bytes, at most 220)', tombstones / MANY);
}

/** One project with many live reservations, many projects, and all of them due at once. */
async function crowds(load: QuotaLoad, report: Report): Promise<void> {
  const [alone = ''] = await load.projects(1);
  const first = await load.rate(CALLS, () => load.reserve(alone, FOUR));
  await load.rate(MANY - 2 * CALLS, () => load.reserve(alone, FOUR));
  const last = await load.rate(CALLS, () => load.reserve(alone, FOUR));
  one(report, 'reserve at 80,000 to 100,000 live ones ÷ at none to 20,000', last / first, 2);

  const { client } = load.redis;
  const { deadlines, held } = keysOf(alone);
  await client.eval(
    `for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 1, id) end
     redis.call('HSET', KEYS[2], 'due', 1)`,
    ...[2, deadlines, held],
  );
  await client.config('SET', 'slowlog-log-slower-than', '0');
  await client.config('SET', 'slowlog-max-len', '10000');
  await client.slowlog('RESET');
  const begun = performance.now();
  const calls = await load.reclaim(alone);
  const took = performance.now() - begun;
  const slow = (await client.slowlog('GET', -1)) as [number, number, number, string[]][];
  const longest = Math.max(...slow.filter(([, , , [command]]) => command === 'evalsha').map(([, , us]) => us));
  await client.config('SET', 'slowlog-log-slower-than', '10000');
  one(report, '100,000 due at once: calls that give them back', calls);
  one(report, '100,000 due at once: longest script (ms, at most 5)', longest / 1_000, 2);
  one(report, '100,000 due at once: until the next answer (ms)', took);

  const few = await load.projects(1);
  const single = await load.rate(CALLS, () => load.reserve(few[0] ?? '', FOUR));
  const some = await load.projects(1_000);
  const thousand = await load.rate(CALLS, (index) => load.reserve(some[index % 1_000] ?? '', FOUR));
  const many = await load.projects(10_000);
  const tenThousand = await load.rate(CALLS, (index) => load.reserve(many[index % 10_000] ?? '', FOUR));
  one(report, 'reserve in 1,000 projects ÷ in one', thousand / single, 2);
  one(report, 'reserve in 10,000 projects ÷ in one', tenThousand / single, 2);
}

/** Nobody asks any more: Redis forgets by itself. */
async function retention(load: QuotaLoad, report: Report): Promise<void> {
  const projects = await load.projects(10);
  const before = { memory: await load.memory(), keys: await load.redis.client.dbsize() };
  await load.rate(CALLS, (index) => load.reserve(projects[index % 10] ?? '', FOUR, { ttlMs: 200, keepMs: 200 }));
  const deadline = { at: performance.now() + 60_000 };
  while ((await load.redis.client.dbsize()) > before.keys && performance.now() < deadline.at)
    await pause(100, deadline);
  const left = (await load.redis.client.dbsize()) - before.keys;
  one(report, 'keys left of 20,000 reservations after their retention', left);
}

function one(report: Report, what: string, value: number, digits = 0): void {
  const text = value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  report(what, figure([value]), text);
}
