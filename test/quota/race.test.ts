import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { ServerConnection } from '#src/redis/server-connection.js';
import { type Engine, engineOf, projectWith, soon } from '../support/quota.js';
import { connect, redisServerFor } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

const CLIENTS = 64;
const RESERVES = 10_000;
const LIMIT = 5_000;

test(`${RESERVES} reservations of ${CLIENTS} clients get all of a limit of ${LIMIT}, and no more`, async (t) => {
  t.timeout(120_000);
  const server = await redisServerFor(t);
  const store = await sqliteStore(t);
  const connections: ServerConnection[] = [];
  for (let i = 0; i < CLIENTS; i += 1) connections.push(await connect(t, server.socket));
  const engines: readonly Engine[] = connections.map((redis) => engineOf(redis, store, { limitsMaxAgeMs: 60_000 }));
  const projectId = await projectWith(store, { volumes: LIMIT, gigabytes: -1 });

  let highest = 0;
  let asked = 0;
  const answers: string[] = [];
  const client = async ({ quota }: Engine): Promise<void> => {
    while (asked < RESERVES) {
      asked += 1;
      const mine = asked;
      const options = { id: randomUUID(), deadline: soon() };
      const { answer } = await quota.reserve(projectId, { volumes: 1, gigabytes: mine % 7 }, options);
      answers.push(answer);
      // a few of them are decided meanwhile, which must make no room
      if (answer === 'reserved' && mine % 5 === 0) await quota.commit({ id: options.id, projectId }, soon());
      if (mine % 100 !== 0) continue;
      const seen = (await quota.usage(projectId, ['volumes'], soon())).get('volumes');
      highest = Math.max(highest, (seen?.inUse ?? 0) + (seen?.reserved ?? 0));
    }
  };
  await Promise.all(engines.map(client));

  const of = (word: string): number => answers.filter((answer) => answer === word).length;
  t.deepEqual({ reserved: of('reserved'), over: of('over') }, { reserved: LIMIT, over: RESERVES - LIMIT });
  t.true(highest <= LIMIT, `${highest} were seen`);
  const [first] = engines;
  const usage = (await first?.quota.usage(projectId, ['volumes'], soon()))?.get('volumes');
  t.is((usage?.inUse ?? 0) + (usage?.reserved ?? 0), LIMIT);
  t.true((usage?.inUse ?? 0) > 0);
});
