import { statement } from './statement.js';
import type { Step, Store } from './store.js';

/** What makes a retry of a request the same request. */
export interface IdempotencyKey {
  readonly projectId: string;
  readonly userId: string;
  /** Full method name. */
  readonly rpc: string;
  readonly key: string;
}

/** What a key stands for. */
export interface IdempotentRequest {
  /** SHA-256 of the request, hex. */
  readonly requestHash: string;
  readonly resourceId: string;
}

/** Takes the key for a request. A key that is taken is a UniqueViolation; it is free again after its purge. */
export function insertIdempotency(key: IdempotencyKey, request: IdempotentRequest): Step {
  return { statement: insert.with({ ...key, ...request }), rows: 1 };
}

/** Frees the keys of the requests that made a resource, when the request is undone. */
export function deleteIdempotencyOf(resourceId: string): Step {
  return { statement: deleteOf.with({ resourceId }) };
}

/** The project whose key a step takes; undefined for every other step. */
export function projectOfKey({ statement: { statement, values } }: Step): string | undefined {
  return statement === (insert as unknown) ? String(values['projectId']) : undefined;
}

/** How many keys a project has, counted up to `limit`. */
export async function countIdempotency(store: Store, projectId: string, limit: number): Promise<number> {
  const [row] = await store.read(countOf.with({ projectId, limit }));
  return Number(row?.keys ?? 0);
}

export async function findIdempotency(store: Store, key: IdempotencyKey): Promise<IdempotentRequest | undefined> {
  const [row] = await store.read(find.with(key));
  return row;
}

const insert = statement<IdempotencyKey & IdempotentRequest>()(({ db, now }, p) =>
  db.insertInto('idempotency').values({
    project_id: p.projectId,
    user_id: p.userId,
    rpc: p.rpc,
    key: p.key,
    request_hash: p.requestHash,
    resource_id: p.resourceId,
    created_at: now,
  }),
);

const deleteOf = statement<{ resourceId: string }>()(({ db }, p) =>
  db.deleteFrom('idempotency').where('resource_id', '=', p.resourceId),
);

const find = statement<IdempotencyKey>()(({ db }, p) =>
  db
    .selectFrom('idempotency')
    .select(['request_hash as requestHash', 'resource_id as resourceId'])
    .where('project_id', '=', p.projectId)
    .where('user_id', '=', p.userId)
    .where('rpc', '=', p.rpc)
    .where('key', '=', p.key),
);

const countOf = statement<{ projectId: string; limit: number }>()(({ db }, p) =>
  db
    .selectFrom((from) =>
      from
        .selectFrom('idempotency')
        .select('idempotency.key')
        .where('project_id', '=', p.projectId)
        .limit(p.limit)
        .as('counted'),
    )
    .select(({ fn }) => fn.countAll<number | string>().as('keys')),
);
