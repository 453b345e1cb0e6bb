import test from 'ava';
import type { Store } from '#src/db/store.js';
import type { Check } from '#src/doctor/check.js';
import { claimCheck } from '#src/doctor/claims.js';
import { claimKeysOf } from '#src/scheduler/claim-scripts.js';
import type { Claims } from '#src/scheduler/claims.js';
import { alive, registered } from '../casts/rows.js';
import { claimsOver, newBackend, poolAs } from '../support/claims.js';
import { redisFor } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';
import { diagnosed, DOWN_MS } from './diagnosed.js';

test('a key of claims that somebody has written over is named, and keeps no other check from looking', async (t) => {
  const store = await sqliteStore(t);
  const redis = await redisFor(t);
  const claims = claimsOver(redis);
  const [odd, sound] = [newBackend(), newBackend()];
  await alive(store, 'living');
  for (const backend of [odd, sound]) await registered(store, backend, 'living');
  await claims.claim({ volumeId: 'v', epoch: 1 }, poolAs(sound, 'p', 10, 1), 4, false);
  await redis.client.hset(claimKeysOf(sound).taken, 'p', 9);

  for (const [name, type] of [
    ['claims', 'string'],
    ['deadlines', 'list'],
    ['taken', 'string'],
    ['figures', 'list'],
  ] as const) {
    const key = claimKeysOf(odd)[name];
    if (type === 'string') await redis.client.set(key, 'mine');
    else await redis.client.lpush(key, 'mine');

    const { findings, examined } = await diagnosed(store, true, [checkOf(store, claims), LATER]);

    t.like(
      findings.find(({ resource }) => resource === odd),
      {
        ...{ kind: 'claims_differ', repairable: false, repaired: false },
        description: `nobody can claim room there: the key ${key} in Redis is a ${type}, which no process makes it`,
        remedy: `find out who has written it, remove it with \`DEL ${key}\` in redis-cli, and look again: schedulers make it anew`,
      },
    );
    t.is(examined['quota'], 1);
    t.is(await redis.client.type(key), type, 'it may be wanted by who has written it');
    await redis.client.del(key);
  }
  t.is(await redis.client.hget(claimKeysOf(sound).taken, 'p'), '4', 'the other backend was mended');
  t.deepEqual((await diagnosed(store, false, [checkOf(store, claims)])).findings, []);
});

const checkOf = (store: Store, claims: Claims) =>
  claimCheck({ store, claims, downAfterMs: DOWN_MS, reportIntervalMs: 60_000_000 });

/** What is looked at after the claims. */
const LATER: Check = { subject: 'quota', look: async () => ({ examined: 1, suspects: [] }) };
