import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { encodeAmounts, withNote } from '#src/quota/amounts-text.js';
import { fieldOf, keysOf, loadQuotaScripts, type Reply } from '#src/quota/scripts.js';
import type { ServerConnection } from '#src/redis/server-connection.js';
import { type Answer, type Ask, type Deltas, QuotaModel } from '../support/quota-model.js';
import { soon } from '../support/quota.js';
import { connect, eventually, newProject, redisServerFor } from '../support/redis.js';

/** `CINDER_TEST_SEED=… CINDER_TEST_RUNS=… npx ava build/test/quota/scripts-model.test.js` */
const SEED = Number(process.env['CINDER_TEST_SEED'] ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env['CINDER_TEST_RUNS'] ?? 10_000);
/** Histories that are played at the same time, each in a project of its own. */
const AT_ONCE = 50;
/** Every so many batches the server ends and begins again in the middle: 200 of 10,000 runs. */
const RESTART_EVERY = 50;

const CONNECTIONS = 3;
const RESERVATIONS = 4;
const RELEASES = 2;
const KEEP_MS = 3_600_000;
const RESOURCES = ['gigabytes', 'volumes'];

type Call =
  | { readonly verb: 'reserve'; readonly of: number; readonly isConfused: boolean }
  | { readonly verb: 'commit' | 'rollback' | 'revoke' | 'hold'; readonly of: number }
  | { readonly verb: 'release' | 'late release'; readonly of: number }
  | { readonly verb: 'usage' | 'list' };

/** What happens to a project: a few calls at the same time, or something that is no call. */
type Step =
  | { readonly what: 'calls'; readonly calls: readonly Call[] }
  | { readonly what: 'due'; readonly these: readonly number[] }
  | { readonly what: 'word gone'; readonly of: number }
  | { readonly what: 'limits'; readonly limits: Deltas }
  | { readonly what: 'rebuild' | 'empty' | 'another incarnation' | 'remember' | 'put back' };

interface History {
  readonly limits: Deltas;
  /** Of each reservation: negative amounts give back at the commit. */
  readonly deltas: readonly Deltas[];
  readonly steps: readonly Step[];
}

const limits = fc.record({ gigabytes: fc.integer({ min: -1, max: 12 }), volumes: fc.integer({ min: -1, max: 6 }) });
const deltas: fc.Arbitrary<Deltas> = fc.oneof(
  fc.record({ gigabytes: fc.integer({ min: -4, max: 6 }), volumes: fc.integer({ min: -2, max: 3 }) }),
  fc.record({ volumes: fc.integer({ min: -2, max: 3 }) }),
);
const of = fc.nat({ max: RESERVATIONS - 1 });
const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ verb: fc.constant('reserve' as const), of, isConfused: fc.nat(9).map((n) => n === 0) }),
  },
  { weight: 9, arbitrary: fc.record({ verb: fc.constantFrom('commit', 'rollback', 'revoke', 'hold'), of }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constantFrom('release', 'late release'), of }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constantFrom('usage', 'list') }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      what: fc.constant('calls' as const),
      calls: fc.array(call, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('due' as const), these: fc.uniqueArray(of, { minLength: 1 }) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('word gone' as const), of }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('limits' as const), limits }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('rebuild', 'empty', 'another incarnation', 'remember', 'put back'),
    }),
  },
);
const history: fc.Arbitrary<History> = fc.record({
  limits,
  deltas: fc.array(deltas, { minLength: RESERVATIONS, maxLength: RESERVATIONS }),
  steps: fc.array(step, { minLength: 2, maxLength: 16 }),
});

test(`in ${RUNS} histories of several clients, every answer and every sum is the model's`, async (t) => {
  t.timeout(600_000);
  t.log(`seed ${SEED}`);
  const world = await worldFor(t);
  let batch = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(history, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (histories) => {
      batch += 1;
      const projects = histories.map((one) => new Project(world, one));
      await Promise.all(projects.map((project) => project.play(0, project.half)));
      if (batch % RESTART_EVERY === 1) {
        await world.restart(batch % (2 * RESTART_EVERY) === 1);
        for (const project of projects) project.restarted(world.isEmpty);
      }
      await Promise.all(projects.map((project) => project.play(project.half, Infinity)));
      await world.connections[0]?.client.flushall();
    }),
    // the error names the one history that failed; to look for smaller batches of them would take an hour
    { numRuns: Math.ceil(RUNS / AT_ONCE), seed: SEED, endOnFailure: true, includeErrorInReport: true },
  );
  t.true(world.restarts >= Math.floor(RUNS / AT_ONCE / RESTART_EVERY));
});

/** A server with several connections; the first is also used for what no script does. */
async function worldFor(t: ExecutionContext) {
  const server = await redisServerFor(t);
  const connections: ServerConnection[] = [];
  for (let i = 0; i < CONNECTIONS; i += 1) connections.push(await connect(t, server.socket));
  const world = {
    connections,
    scripts: loadQuotaScripts(),
    restarts: 0,
    isEmpty: false,
    /** Ends the server, which is started again by its owner. */
    async restart(isEmptied: boolean) {
      world.restarts += 1;
      world.isEmpty = isEmptied;
      const [first] = connections;
      if (!first) return;
      const before = (await first.incarnation('', soon())).token;
      if (isEmptied) await first.client.flushall();
      await first.client.call('SHUTDOWN').catch(() => undefined);
      await eventually('the server is another one', async () => {
        const now = await Promise.all(connections.map(async (one) => (await one.incarnation('', soon())).token));
        return now.every((token) => token !== before);
      });
    },
  };
  return world;
}

type World = Awaited<ReturnType<typeof worldFor>>;

/** What the keys of a project hold. */
interface State {
  readonly usage: Record<string, string>;
  readonly held: Record<string, string>;
  readonly pinned: Record<string, string>;
  /** By id, ms. */
  readonly deadlines: ReadonlyMap<string, number>;
  /** When usage, held, deadlines and pinned vanish, ms; -1: never, -2: they are not there. */
  readonly vanish: readonly number[];
  readonly words: ReadonlyMap<string, string>;
}

/** One history, played against the scripts and against the model. */
class Project {
  readonly half: number;
  readonly #id = newProject();
  readonly #keys = keysOf(this.#id);
  readonly #ids: readonly string[] = Array.from({ length: RESERVATIONS + RELEASES }, () => randomUUID());
  #model: QuotaModel;
  #snapshot: { readonly keys: [string, Buffer, number][]; readonly words: QuotaModel['words'] } | undefined;

  constructor(
    readonly world: World,
    readonly history: History,
  ) {
    this.half = history.steps.length >> 1;
    this.#model = new QuotaModel(history.limits);
    this.#model.isStale = true;
  }

  async play(from: number, to: number): Promise<void> {
    if (from === 0) await this.#rebuild();
    for (const one of this.history.steps.slice(from, to)) {
      try {
        await this.#step(one);
        const difference = differenceIn(await this.#state(), this.#model);
        if (difference !== undefined) throw new Error(`after ${JSON.stringify(one)}: ${difference}`);
      } catch (error) {
        throw new Error(`seed ${SEED}, ${JSON.stringify(this.history)}`, { cause: error });
      }
    }
  }

  /** What is left of it is of another incarnation. */
  restarted(isEmpty: boolean): void {
    if (isEmpty) this.#model.lost(new Map());
    this.#model.isStale = true;
  }

  async #step(one: Step): Promise<void> {
    switch (one.what) {
      case 'calls':
        return this.#calls(one.calls.map((asked) => this.#asked(asked)));
      case 'limits':
        return void (this.#model.limits = one.limits);
      case 'due':
        for (const index of one.these) await this.#makeDue(this.#idOf(index));
        return;
      case 'word gone':
        await this.#client.del(this.#keys.tombstones + this.#idOf(one.of));
        return void this.#model.words.delete(this.#idOf(one.of));
      case 'rebuild':
        return this.#rebuild();
      case 'empty':
        await this.#clear();
        this.#model.lost(new Map());
        return;
      case 'another incarnation':
        await this.#client.hset(this.#keys.usage, 'tok', 'of another incarnation');
        return void (this.#model.isStale = true);
      case 'remember':
        return void (this.#snapshot = { keys: await this.#dump(), words: new Map(this.#model.words) });
      case 'put back':
        return this.#putBack();
    }
  }

  /** Asks them at the same time, each on another connection; they must be answered as in one order or another. */
  async #calls(asks: readonly Ask[]): Promise<void> {
    const answers = await Promise.all(asks.map((ask, i) => this.#answer(ask, this.#connection(i))));
    const state = await this.#state();
    const expected: string[] = [];
    for (const order of orders(asks.map((_, i) => i))) {
      const model = this.#model.copy();
      const said: Answer[] = [];
      for (const i of order) if (asks[i]) said[i] = model.ask(asks[i]);
      const difference = differenceIn(state, model);
      if (JSON.stringify(said) !== JSON.stringify(answers) || difference !== undefined) {
        expected.push(`${JSON.stringify(said)} (${difference ?? 'as it is'})`);
        continue;
      }
      this.#model = model;
      return;
    }
    throw new Error(
      `${JSON.stringify(asks)} answered ${JSON.stringify(answers)}; the model says ${expected.join(' or ')}`,
    );
  }

  #asked(asked: Call): Ask {
    switch (asked.verb) {
      case 'usage':
      case 'list':
        return { verb: asked.verb };
      case 'commit':
      case 'rollback':
      case 'hold':
        return { verb: asked.verb, id: this.#idOf(asked.of) };
      case 'revoke':
        return { verb: 'revoke', id: this.#idOf(asked.of), deltas: this.#deltasOf(asked.of) };
      case 'reserve': {
        const whose = asked.isConfused ? asked.of + 1 : asked.of;
        return { verb: 'reserve', id: this.#idOf(asked.of), deltas: this.#deltasOf(whose) };
      }
      default: {
        const id = this.#idOf(RESERVATIONS + (asked.of % RELEASES));
        return { verb: asked.verb, id, deltas: { gigabytes: 2, volumes: 1 } };
      }
    }
  }

  async #answer(ask: Ask, redis: ServerConnection): Promise<Answer> {
    const { scripts } = this.world;
    const ledger = { tombstones: this.#keys.tombstones, keep: KEEP_MS };
    const { usage, held, deadlines, pinned } = this.#keys;
    const keys = { usage, held, deadlines, pinned };
    if (ask.verb === 'usage') {
      const args = { ...ledger, fields: RESOURCES.map(fieldOf) };
      return answerOf(await redis.run(scripts.usage, keys, args, soon()), (rows) => JSON.stringify(rows));
    }
    if (ask.verb === 'list') {
      const reply = await redis.run(scripts.list, keys, { ...ledger, count: 100 }, soon());
      return answerOf(reply, (rows) => {
        const shown = rows.map((row) => [row.id, row.expiresAt === 0, Object.fromEntries(row.deltas)] as const);
        return JSON.stringify(shown.sort(([a], [b]) => (a < b ? -1 : 1)));
      });
    }
    const { id } = ask;
    const one = { ...keys, tombstone: this.#keys.tombstones + id };
    switch (ask.verb) {
      case 'reserve': {
        const reply = await redis.run(scripts.reserve, one, { ...ledger, id, ...this.#reserveArgs(ask) }, soon());
        return answerOf(reply, (said) => {
          if (said.answer === 'settled') return `settled ${said.word}`;
          return said.answer === 'over' ? `over ${JSON.stringify(said.over)}` : said.answer;
        });
      }
      case 'revoke': {
        const args = { ...ledger, id, text: encodeAmounts(ask.deltas) };
        return answerOf(await redis.run(scripts.revoke, one, args, soon()), String);
      }
      case 'release':
      case 'late release': {
        const until = ask.verb === 'release' ? Date.now() + KEEP_MS : 1;
        const args = { ...ledger, text: encodeAmounts(ask.deltas), until };
        return answerOf(await redis.run(scripts.release, one, args, soon()), String);
      }
      default:
        return answerOf(await redis.run(scripts[ask.verb], one, { ...ledger, id }, soon()), String);
    }
  }

  #reserveArgs({ id, deltas }: { readonly id: string; readonly deltas: Deltas }) {
    const asked = Object.entries(deltas);
    return {
      ttl: 600_000 + this.#ids.indexOf(id) * 2_500_000, // some outlive others by more than they are kept
      text: withNote(encodeAmounts(deltas), `by ${id}`),
      asked: [
        ...asked.map(([resource]) => fieldOf(resource)),
        ...asked.map(([, amount]) => amount),
        ...asked.map(([resource]) => this.#model.limits[resource] ?? -1),
      ],
    };
  }

  /** Time passes for one reservation: virtual, because Redis's clock cannot be moved and deadlines can. */
  async #makeDue(id: string): Promise<void> {
    if (this.#model.isStale || !this.#model.live.has(id) || this.#model.live.get(id)?.isHeld) return;
    await this.#client.zadd(this.#keys.deadlines, 'XX', 1, id);
    await this.#client.hset(this.#keys.held, 'due', 1);
    this.#model.due.add(id);
  }

  async #rebuild(): Promise<void> {
    const { scripts } = this.world;
    const { tombstones, usage, held, deadlines, pinned } = this.#keys;
    const redis = this.#connection(0);
    const owner = randomUUID();
    const begun = await redis.run(scripts.rebuildBegin, { usage }, { owner, lease: 60_000, force: 1 }, soon());
    const meanwhile = await this.#answer({ verb: 'reserve', id: this.#idOf(0), deltas: { volumes: 0 } }, redis);
    if (begun.answer !== 'begun' || meanwhile.said !== 'rebuild') throw new Error('a rebuild does not stop the others');
    const holds = [...this.#model.live].filter(([, { isHeld }]) => isHeld);
    const args = {
      ...{ tombstones, keep: KEEP_MS, owner },
      sums: JSON.stringify([...this.#model.inUse]),
      holds: JSON.stringify(holds.map(([id, one]) => [id, encodeAmounts(one.deltas)])),
      settled: JSON.stringify(this.#model.settled().map(([id, word]) => [id, word, 0])),
    };
    const ended = await redis.run(scripts.rebuildEnd, { usage, held, deadlines, pinned }, args, soon());
    if (ended !== 'done') throw new Error(`the rebuild is ${ended}`);
    this.#model.rebuilt();
  }

  async #putBack(): Promise<void> {
    if (!this.#snapshot) return;
    await this.#clear();
    const restore = this.#client.multi();
    for (const [key, value, at] of this.#snapshot.keys) restore.restore(key, at, value, 'ABSTTL');
    restore.hset(this.#keys.usage, 'tok', 'of another incarnation');
    await restore.exec();
    this.#model.lost(this.#snapshot.words);
  }

  async #clear(): Promise<void> {
    await this.#client.del(this.#keys.usage, this.#keys.held, this.#keys.deadlines, this.#keys.pinned);
    await this.#client.del(...this.#ids.map((id) => this.#keys.tombstones + id));
  }

  async #dump(): Promise<[string, Buffer, number][]> {
    const { usage, held, deadlines, pinned, tombstones } = this.#keys;
    const keys = [usage, held, deadlines, pinned, ...this.#ids.map((id) => tombstones + id)];
    const dumped = await Promise.all(
      keys.map(async (key): Promise<[string, Buffer | null, number]> => {
        return [key, await this.#client.dumpBuffer(key), Math.max(0, await this.#client.pexpiretime(key))];
      }),
    );
    return dumped.flatMap(([key, value, at]) => (value ? [[key, value, at]] : []));
  }

  async #state(): Promise<State> {
    const { usage, held, deadlines, pinned, tombstones } = this.#keys;
    const client = this.#client;
    const [used, reserved, onHold, times, words, ...vanish] = await Promise.all([
      client.hgetall(usage),
      client.hgetall(held),
      client.hgetall(pinned),
      client.zrange(deadlines, '0', '-1', 'WITHSCORES'),
      client.mget(this.#ids.map((id) => tombstones + id)),
      ...[usage, held, deadlines, pinned].map((key) => client.pexpiretime(key)),
    ]);
    return {
      ...{ usage: used, held: reserved, pinned: onHold, vanish },
      deadlines: new Map(
        times.flatMap((id, i): [string, number][] => (i % 2 === 0 ? [[id, Number(times[i + 1])]] : [])),
      ),
      words: new Map(words.flatMap((said, i): [string, string][] => (said === null ? [] : [[this.#idOf(i), said]]))),
    };
  }

  #connection(index: number): ServerConnection {
    const connection = this.world.connections[index % CONNECTIONS];
    if (!connection) throw new RangeError(`no connection ${index}`);
    return connection;
  }

  get #client() {
    return this.#connection(0).client;
  }

  #idOf(index: number): string {
    return this.#ids[index] ?? '';
  }

  #deltasOf(index: number): Deltas {
    return this.history.deltas[index % RESERVATIONS] ?? {};
  }
}

function answerOf<R>({ said, refusal, clamped }: Reply<R>, show: (said: R) => string): Answer {
  return { said: refusal ?? show(said as R), clamped };
}

/** Where the keys are not what the model has; undefined: nowhere. The design's rules are this equality. */
function differenceIn(state: State, model: QuotaModel): string | undefined {
  if (model.isStale) return undefined;
  const { usage, held, pinned, deadlines, vanish, words } = state;
  const facts: [what: string, is: unknown, should: unknown][] = [];
  for (const resource of RESOURCES) {
    const field = fieldOf(resource);
    facts.push([`${resource} in use`, Number(usage[field] ?? 0), model.inUse.get(resource) ?? 0]);
    facts.push([`${resource} reserved`, Number(held[field] ?? 0), model.promised(resource, false)]);
    facts.push([`${resource} on hold`, Number(pinned[field] ?? 0), model.promised(resource, true)]);
  }
  const reserved = [...model.live].filter(([, { isHeld }]) => !isHeld).map(([id]) => id);
  const onHold = [...model.live].filter(([, { isHeld }]) => isHeld).map(([id]) => id);
  facts.push(['reservations', idsIn(Object.keys(held)), idsIn(reserved)]);
  facts.push(['deadlines', idsIn([...deadlines.keys()]), idsIn(reserved)]);
  facts.push(['holds', idsIn(Object.keys(pinned)), idsIn(onHold)]);
  facts.push(['words', idsIn([...words].map(String)), idsIn([...model.words].map(String))]);
  facts.push(['usage vanishes', vanish[0], -1]);
  facts.push(['holds vanish', vanish[3], onHold.length > 0 ? -1 : -2]);
  if (reserved.length === 0) {
    facts.push(['due', held['due'], undefined]);
  } else {
    const times = [...deadlines.values()];
    facts.push(['a deadline before "due"', times.some((at) => at < Number(held['due'])), false]);
    facts.push(['held vanishes', vanish[1], Number(held['until'])]);
    facts.push(['deadlines vanish', vanish[2], Number(held['until'])]);
    facts.push(['held outlives its deadlines', Number(held['until']) >= Math.max(...times) + KEEP_MS, true]);
  }
  const wrong = facts.find(([, is, should]) => is !== should);
  return wrong && `${wrong[0]}: ${String(wrong[1])} instead of ${String(wrong[2])}`;
}

function idsIn(fields: readonly string[]): string {
  return fields
    .filter((field) => !field.startsWith(fieldOf('')) && field !== 'due' && field !== 'until')
    .sort()
    .join(' ');
}

/** All orders of a few things. */
function orders(things: readonly number[]): number[][] {
  if (things.length <= 1) return [[...things]];
  return things.flatMap((first) => orders(things.filter((one) => one !== first)).map((rest) => [first, ...rest]));
}
