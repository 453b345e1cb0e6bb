import type { EstateFootprint } from './footprint.js';

const MOST_RSS = 1.3;
/** Of a process: see src/db/postgres-store.ts. */
const MOST_SQL_CONNECTIONS = 10;
/** Open files of a process that come and go with connections to peers, the database and Redis. */
const FILES_THAT_COME_AND_GO = 24;

/** What has grown beyond what it was when everything was warm, and by how much the largest process has. */
export function overgrown(
  before: EstateFootprint,
  now: EstateFootprint,
): { readonly problems: readonly string[]; readonly rss: number } {
  const problems: string[] = [];
  let rss = 0;
  if (now.sql.atServer > MOST_SQL_CONNECTIONS * now.members.size || now.sql.atServer !== now.sql.ofMembers) {
    problems.push(`PostgreSQL has ${now.sql.atServer} connections, and the services have ${now.sql.ofMembers}`);
  }
  if (now.redis.atServer !== before.redis.atServer || now.redis.atServer !== now.redis.ofMembers) {
    problems.push(
      `Redis has ${now.redis.atServer} connections, of the services ${now.redis.ofMembers}, and had ${before.redis.atServer}`,
    );
  }
  for (const [name, { rssMib, files, listeners }] of now.members) {
    const was = before.members.get(name);
    if (!was) continue;
    rss = Math.max(rss, rssMib / was.rssMib);
    if (rssMib > was.rssMib * MOST_RSS) {
      problems.push(`${name} has grown from ${was.rssMib.toFixed(0)} to ${rssMib.toFixed(0)} MiB`);
    }
    if (listeners !== was.listeners)
      problems.push(`${name} listens at ${listeners} addresses instead of ${was.listeners}`);
    if (files > was.files + FILES_THAT_COME_AND_GO)
      problems.push(`${name} has ${files} files open instead of ${was.files}`);
  }
  return { problems, rss };
}
