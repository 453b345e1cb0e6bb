import { setTimeout as pause } from 'node:timers/promises';
import { type CinderClient, connect, watchVolumes } from '#src/client/index.js';
import type { Lifetime } from '../../support/lifetime.js';
import { seeded } from '../../support/seeded.js';
import { until } from '../../support/until.js';
import { Estate } from '../chaos/estate.js';
import { violations } from '../chaos/invariants.js';
import { Load, PROJECTS } from '../chaos/load.js';
import { linesOf, tableOf } from './growth.js';
import { type Sample, sampleOf } from './samples.js';

export interface SoakOptions {
  readonly minutes: number;
  readonly say: (line: string) => void;
}

/** Nobody is to die here, however busy the machine is. */
const PATIENT = {
  CINDER_REPORT_INTERVAL: '5',
  CINDER_SERVICE_DOWN_TIME: '30',
  CINDER_API_FLOW_DEADLINE: '5',
  CINDER_RESERVATION_EXPIRE: '20',
};

const SAMPLES = 60;
const LEAST_BETWEEN_MS = 2_000;
const SETTLED_WITHIN_MS = 60_000;
/** What a user at a terminal does beside. */
const PAGE = 100;

/** An estate at work that nothing disturbs, for so long; answers what is wrong, and the table of what was measured. */
export async function soak(
  t: Lifetime,
  { minutes, say }: SoakOptions,
): Promise<{ readonly problems: readonly string[]; readonly table: string }> {
  const estate = await Estate.start(t, { ...PATIENT, CINDER_LOG_LEVEL: 'warn', CINDER_IDEMPOTENCY_RETENTION: '60' });
  const { address } = estate;
  const admin = connect({ address, project: 'admin', roles: ['admin'], timeoutMs: 20_000 });
  t.teardown(() => admin.close());
  const load = new Load(t, {
    ...{ address, random: seeded(1), pauseMs: 100 },
    alsoDo: (client) => client.volumes.listVolumes({ pageSize: PAGE }),
  });
  await load.prepare(admin);
  const changes = PROJECTS.map((project) => watched(t, address, project));
  const samples: Sample[] = [];
  load.start();
  try {
    const endsAt = performance.now() + minutes * 60_000;
    while (performance.now() < endsAt) {
      await pause(Math.max(LEAST_BETWEEN_MS, (minutes * 60_000) / SAMPLES));
      const sample = await sampleOf(estate, load.answered);
      samples.push(sample);
      const seen = changes.reduce((sum, of) => sum + of(), 0);
      const mib = [...sample.rss.values()].map((each) => each.toFixed(0)).join(' ');
      say(`${samples.length}: ${load.answered} requests, ${seen} changes seen, memory ${mib} MiB`);
    }
  } finally {
    await load.stop();
  }
  const problems = await settled(estate, admin, load);
  problems.push(...load.ledger.oddities);
  for (const { accidents } of estate.members) problems.push(...accidents);
  await estate.end();
  const lines = linesOf(samples);
  problems.push(...lines.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`])));
  return { problems, table: tableOf(lines) };
}

/** What is not as it should be although nothing is under way any more. */
async function settled(estate: Estate, admin: CinderClient, load: Load): Promise<string[]> {
  let found: readonly string[] = [];
  const isClean = async (): Promise<true | undefined> => {
    found = await violations(estate, admin, load.ledger);
    return found.length === 0 || undefined;
  };
  await until(isClean, 'everything to be as it should be', SETTLED_WITHIN_MS).catch(() => undefined);
  return [...found];
}

/** Watches a project's volumes all the time; answers how many changes it has seen. */
function watched(t: Lifetime, address: string, project: string): () => number {
  const client = connect({ address, project });
  const leaving = new AbortController();
  t.teardown(() => {
    leaving.abort();
    client.close();
  });
  let seen = 0;
  void (async () => {
    for await (const change of watchVolumes(client, { signal: leaving.signal })) if (change.volume) seen += 1;
  })().catch(() => undefined); // it ends with the test; one that ends before sees nothing more, which is said
  return () => seen;
}
