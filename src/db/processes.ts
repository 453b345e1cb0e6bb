import { sql } from 'kysely';
import type { ProcessesTable } from './schema.js';
import { statement } from './statement.js';
import type { Step, Store } from './store.js';

/** One run of one service. */
export interface ProcessRecord {
  /** A new one for every run. */
  readonly incarnation: string;
  readonly binary: string;
  readonly host: string;
  /** `address:port` under which peers reach it. */
  readonly endpoint: string;
  readonly rpcVersion: string;
  readonly objectVersion: string;
}

/** A living process, and what it serves. */
export interface LiveProcess {
  readonly incarnation: string;
  readonly host: string;
  readonly endpoint: string;
  /** Hosts and clusters of its services, `host@backend` for volume services. */
  readonly serves: readonly string[];
}

/** Records a run that begins, or one whose row was purged although it lives. Safe to repeat. */
export function putProcess(process: ProcessRecord): Step {
  return {
    statement: put.with({
      incarnation: process.incarnation,
      binary: process.binary,
      host: process.host,
      endpoint: process.endpoint,
      rpc_version: process.rpcVersion,
      object_version: process.objectVersion,
    }),
    rows: 1,
  };
}

/** Says that the process lives. The unit fails when its row is gone or stopped. */
export function beatProcess(incarnation: string): Step {
  return { statement: beat.with({ incarnation }), rows: 1 };
}

/** Says that the process has ended in good order: nobody waits for it to be presumed dead. Safe to repeat. */
export function stopProcess(incarnation: string): Step {
  return { statement: stop.with({ incarnation }) };
}

/** The processes of a binary that were heard of within `downAfterMs`, by the database's clock. */
export async function liveProcesses(
  store: Store,
  { binary, downAfterMs }: { readonly binary: string; readonly downAfterMs: number },
): Promise<readonly LiveProcess[]> {
  const rows = await store.read(live.with({ binary, down_after: downAfterMs }));
  const processes = new Map<string, LiveProcess & { readonly serves: string[] }>();
  for (const { incarnation, process_host, endpoint, host, cluster_name } of rows) {
    const process = processes.get(incarnation) ?? { incarnation, host: process_host, endpoint, serves: [] };
    process.serves.push(...[host, cluster_name].filter((name) => name !== null));
    processes.set(incarnation, process);
  }
  return [...processes.values()];
}

/** The object versions of all processes of every binary that may call: neither stopped nor silent for longer than `silentMs`. */
export async function objectVersionsOf(store: Store, silentMs: number): Promise<readonly string[]> {
  return (await store.read(objectVersions.with({ silent: silentMs }))).map(({ object_version }) => object_version);
}

type PutParams = Omit<ProcessesTable, 'started_at' | 'heartbeat_at' | 'stopped_at'>;

const put = statement<PutParams>()(({ db, now }, p) =>
  db
    .insertInto('processes')
    .values({
      incarnation: p.incarnation,
      binary: p.binary,
      host: p.host,
      endpoint: p.endpoint,
      rpc_version: p.rpc_version,
      object_version: p.object_version,
      started_at: now,
      heartbeat_at: now,
      stopped_at: null,
    })
    .onConflict((conflict) => conflict.column('incarnation').doUpdateSet({ heartbeat_at: now, stopped_at: null })),
);

const beat = statement<{ incarnation: string }>()(({ db, now }, p) =>
  db
    .updateTable('processes')
    .set({ heartbeat_at: now })
    .where('incarnation', '=', p.incarnation)
    .where('stopped_at', 'is', null),
);

const stop = statement<{ incarnation: string }>()(({ db, now }, p) =>
  db
    .updateTable('processes')
    .set({ stopped_at: now })
    .where('incarnation', '=', p.incarnation)
    .where('stopped_at', 'is', null),
);

const live = statement<{ binary: string; down_after: number }>()(({ db, now }, p) =>
  db
    .selectFrom('processes as p')
    .leftJoin('services as s', (join) =>
      join.onRef('s.incarnation', '=', 'p.incarnation').on('s.deleted_at', 'is', null).on('s.stopped_at', 'is', null),
    )
    .select(['p.incarnation', 'p.host as process_host', 'p.endpoint', 's.host', 's.cluster_name'])
    .where('p.binary', '=', p.binary)
    .where('p.stopped_at', 'is', null)
    .where('p.endpoint', '<>', '') // no address can be made of it
    .where('p.heartbeat_at', '>=', sql<number>`${now} - ${p.down_after}`)
    .orderBy('p.incarnation')
    .orderBy('s.host'),
);

const objectVersions = statement<{ silent: number }>()(({ db, now }, p) =>
  db
    .selectFrom('processes')
    .select('object_version')
    .distinct()
    .where('stopped_at', 'is', null)
    .where('heartbeat_at', '>=', sql<number>`${now} - ${p.silent}`),
);
