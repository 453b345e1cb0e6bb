import { sql } from 'kysely';
import { statement, type Tools } from './statement.js';
import type { Step, Store } from './store.js';

/** A user message to write. Its words are made by the writer. Rule: cinder/message/api.py, `create`. */
export interface NewMessage {
  readonly id: string;
  /** Empty: the project that has the volume. */
  readonly projectId: string;
  readonly requestId: string;
  /** Cinder's word, e.g. `VOLUME`. */
  readonly resourceType: string;
  readonly resourceId: string;
  /** Cinder's three digits. */
  readonly actionId: string;
  readonly detailId: string;
  /** @default ERROR */
  readonly level?: string;
  readonly text: string;
  /** How long it is kept, ms. */
  readonly ttlMs: number;
}

/** A user message as it is kept. Times in ms since 1970. */
export interface Message extends Required<Omit<NewMessage, 'ttlMs'>> {
  /** `VOLUME_<resource type>_<action>_<detail>`. */
  readonly eventId: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface MessageList {
  readonly projectId: string;
  /** Only those about this resource. @default of all */
  readonly resourceId?: string;
  /** Rows a page, 1 to 1001. */
  readonly limit: number;
  /** @default from the newest */
  readonly after?: { readonly createdAt: number; readonly id: string };
}

export function insertMessage({ level = 'ERROR', ...message }: NewMessage): Step {
  return { statement: insert.with({ ...message, level }), rows: 1 };
}

/** A page of a project's messages, newest first. */
export async function listMessages(
  store: Store,
  { projectId, resourceId, limit, after }: MessageList,
): Promise<readonly Message[]> {
  const key = { projectId, limit, createdAt: after?.createdAt ?? Number.MAX_SAFE_INTEGER, id: after?.id ?? '' };
  const rows = await store.read(
    resourceId === undefined ? list.with(key) : listOfResource.with({ ...key, resourceId }),
  );
  return rows.map(messageOf);
}

/** The message, if the project has it; without a project: whoever has it. */
export async function findMessage(
  store: Store,
  { id, projectId }: { readonly id: string; readonly projectId?: string },
): Promise<Message | undefined> {
  const [row] = await store.read(findById.with({ id }));
  return row && (projectId === undefined || row.projectId === projectId) ? messageOf(row) : undefined;
}

/** Removes a message for good; touches no row when there is none. */
export function deleteMessage(id: string): Step {
  return { statement: remove.with({ id }), rows: 1 };
}

function messageOf(row: Omit<Message, 'eventId'>): Message {
  return { ...row, eventId: `VOLUME_${row.resourceType}_${row.actionId}_${row.detailId}` };
}

/** Whoever acts for no project, or for one that nobody knows any more, must not keep the owner from hearing of it. */
const reader = (projectId: string, resourceId: string) =>
  sql<string>`coalesce(
    nullif(cast(${projectId} as text), ''),
    (select volumes.project_id from volumes where volumes.id = cast(${resourceId} as text)),
    ''
  )`;

const insert = statement<Required<NewMessage>>()(({ db, now }, p) =>
  db.insertInto('messages').values({
    id: p.id,
    project_id: reader(p.projectId, p.resourceId),
    request_id: p.requestId,
    resource_type: p.resourceType,
    resource_id: p.resourceId,
    action_id: p.actionId,
    detail_id: p.detailId,
    message_level: p.level,
    user_message: p.text,
    created_at: now,
    expires_at: sql<number>`${now} + ${p.ttlMs}`,
  }),
);

interface KeyParams {
  readonly projectId: string;
  readonly limit: number;
  readonly createdAt: number;
  readonly id: string;
}

const select = ({ db }: Tools) =>
  db
    .selectFrom('messages')
    .select([
      ...(['id', 'project_id as projectId', 'request_id as requestId'] as const),
      ...(['resource_type as resourceType', 'resource_id as resourceId'] as const),
      ...([
        'action_id as actionId',
        'detail_id as detailId',
        'message_level as level',
        'user_message as text',
      ] as const),
      ...(['created_at as createdAt', 'expires_at as expiresAt'] as const),
    ]);

const findById = statement<{ id: string }>()((tools, p) => select(tools).where('id', '=', p.id));

const remove = statement<{ id: string }>()(({ db }, p) => db.deleteFrom('messages').where('id', '=', p.id));

const page = (tools: Tools, p: KeyParams) =>
  select(tools)
    .where('project_id', '=', p.projectId)
    // the first of the two conditions is what an index can be entered by
    .where('created_at', '<=', p.createdAt)
    .where((eb) => eb.or([eb('created_at', '<', p.createdAt), eb('id', '>', p.id)]))
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .limit(p.limit);

const list = statement<KeyParams>()((tools, p) => page(tools, p));

const listOfResource = statement<KeyParams & { readonly resourceId: string }>()((tools, p) =>
  page(tools, p).where('resource_id', '=', p.resourceId),
);
