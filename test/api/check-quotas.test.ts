import test from 'ava';
import { checkQuotas } from '#src/api/handlers/check-quotas.js';
import { syncQuotas } from '#src/api/handlers/sync-quotas.js';
import { namePages } from '#src/api/name-pages.js';
import { tokensWith } from '#src/events/tokens.js';
import { QuotaFigure } from '#src/gen/cinder/api/v3/quotas.js';
import { DEFAULT_VOLUME_TYPE_ID } from '#src/db/volume-types.js';
import { keysOf } from '#src/quota/scripts.js';
import { CONTEXT } from '../casts/rows.js';
import { Creation, engineOf, projectWith } from '../support/quota.js';
import { redisFor } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';

const call = () => ({
  context: { ...CONTEXT, roles: ['admin'] },
  deadline: Date.now() + 10_000,
  signal: new AbortController().signal,
});

async function quotasOf(t: Parameters<typeof sqliteStore>[0], projectCount: number) {
  const engine = engineOf(await redisFor(t), await sqliteStore(t));
  const projects: string[] = [];
  for (let n = 0; n < projectCount; n++) {
    const projectId = await projectWith(engine.store);
    await new Creation(engine, projectId, 2).all();
    projects.push(projectId);
  }
  const parts = { ...engine, namePages: namePages(tokensWith(Buffer.alloc(32, 1))) };
  const request = { projectId: '', pageSize: 0, pageToken: '' };
  const [check, sync] = [checkQuotas(parts), syncQuotas(parts)];
  return {
    projects: projects.sort(),
    drift: (projectId: string, resource = 'volumes') =>
      engine.redis.client.hincrby(keysOf(projectId).usage, `i:${resource}`, 3),
    check: (own: Partial<typeof request> = {}) => check({ ...request, ...own }, call()),
    sync: (own: Partial<typeof request & { dryRun: boolean }> = {}) =>
      sync({ ...request, dryRun: false, ...own }, call()),
  };
}

test('all projects are compared page by page, and what differs is told in its users’ names', async (t) => {
  const { projects, drift, check, sync } = await quotasOf(t, 5);
  const [first = '', , third = ''] = projects;
  await drift(third, `gigabytes_${DEFAULT_VOLUME_TYPE_ID}`);
  await drift(first);

  const counts: number[] = [];
  const found: string[] = [];
  let pageToken = '';
  do {
    const page = await check({ pageSize: 2, pageToken });
    counts.push(page.projectCount);
    found.push(...page.differences.map(({ projectId, resource }) => `${projectId} ${resource}`));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  t.deepEqual(counts, [2, 2, 1]);
  t.deepEqual(found, [`${first} volumes`, `${third} gigabytes___DEFAULT__`]);

  const one = { projectId: first, resource: 'volumes', figure: QuotaFigure.IN_USE, recorded: 1, inRedis: 4 };
  t.deepEqual(await check({ projectId: first }), { differences: [one], projectCount: 1, nextPageToken: '' });
  t.deepEqual((await sync({ projectId: first, dryRun: true })).differences, [one]);
  t.is((await sync()).differences.length, 2, 'a dry run has mended nothing');
  t.deepEqual((await sync()).differences, []);
  t.deepEqual((await check()).differences, []);
});

test('bad words for projects and pages are refused, all in one answer', async (t) => {
  const { check, sync } = await quotasOf(t, 2);
  const error = await t.throwsAsync(check({ projectId: 'a}b', pageSize: -1, pageToken: 'x' }), {
    name: 'InvalidInput',
  });
  for (const field of ['project_id', 'page_size', 'page_token']) t.true(error.message.includes(field), field);
  await t.throwsAsync(check({ pageToken: 'guessed' }), { message: /page_token/ });
  const { nextPageToken } = await check({ pageSize: 1 });
  t.is((await check({ pageToken: nextPageToken })).projectCount, 1);
  await t.throwsAsync(sync({ pageToken: nextPageToken }), { message: /page_token/ }, 'a token is of one list');
});
