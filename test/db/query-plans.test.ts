import { join } from 'node:path';
import test from 'ava';
import Database from 'libsql';
import { ageOfNext, deleteCreationProgress, readEvents } from '#src/db/events.js';
import {
  backendsWithRecords,
  namesOnRecord,
  recordsBetween,
  recordsNamed,
  recordsOfNoBackend,
  workAt,
} from '#src/db/backend-records.js';
import { claimantFacts } from '#src/db/claimants.js';
import { settlementFacts, statusesInUse, transientFacts, workFacts } from '#src/db/diagnosis.js';
import { findIdempotency } from '#src/db/idempotency.js';
import { leftoversOf } from '#src/db/leftovers.js';
import { listMessages } from '#src/db/messages.js';
import { migrate } from '#src/db/migrate.js';
import { purge } from '#src/db/purge.js';
import { oldestSettlementMs } from '#src/db/quota-settlements.js';
import { listQuotaProjects, takeUnchecked } from '#src/db/quota-projects.js';
import { disownAndCount } from '#src/db/quota-sums.js';
import type { Bound } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { listUsageRecords, USAGE_TABLES } from '#src/db/usage-records.js';
import { findVolume, findVolumes } from '#src/db/volumes.js';
import { countUnfinished, oldestUnfinished } from '#src/db/worker-search.js';
import { transition } from '#src/db/volume-transitions.js';
import { folderFor } from '../support/folder.js';

/** A store that explains what it is asked instead of doing it. */
function explainer(database: Database.Database): { readonly store: Store; readonly plan: string[] } {
  const plan: string[] = [];
  const explain = ({ statement, values }: Bound) => {
    const { sql, bind } = statement.compiled('sqlite');
    const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(bind(values)) as { detail: string }[];
    plan.push(...steps.map(({ detail }) => detail));
  };
  const store: Store = {
    dialect: 'sqlite',
    apply: async (unit) => {
      for (const { statement } of unit) explain(statement);
      return [];
    },
    read: async (statement) => {
      explain(statement);
      return [];
    },
    close: async () => undefined,
  };
  return { store, plan };
}

const PAGE = { limit: 50, after: { createdAt: 1, id: 'i' } };

const isIndexed = test.macro({
  exec: async (t, ask: (store: Store) => Promise<unknown>, index: RegExp) => {
    const path = join(await folderFor(t), 'cinder.db');
    await migrate(`sqlite:${path}`);
    const database = new Database(path);
    t.teardown(() => database.close());
    const { store, plan } = explainer(database);
    await ask(store);
    t.true(
      plan.some((step) => index.test(step)),
      plan.join('\n'),
    );
    // read from end to end are only a list that was handed in, a subselect of few rows, and the first events up to a limit
    const scans = plan.filter(
      (step) => /^SCAN (?!json_each|\(subquery|events$|old$)/.test(step) && !/USING (COVERING )?INDEX/.test(step),
    );
    t.deepEqual(scans, []);
    t.false(
      plan.some((step) => step.includes('USE TEMP B-TREE FOR ORDER BY')),
      plan.join('\n'),
    );
  },
  title: (what = '') => `${what} through an index, in its order, without a full scan`,
});

test('a volume is found', isIndexed, (store) => findVolume(store, { id: 'i' }), /SEARCH volumes USING INDEX/);
test('several volumes are found', isIndexed, (store) => findVolumes(store, ['a', 'b']), /SEARCH volumes USING INDEX/);
test(
  'messages are listed',
  isIndexed,
  (s) => listMessages(s, { projectId: 'p', ...PAGE }),
  /messages_by_project .*created_at</,
);
test(
  'a retry is recognised',
  isIndexed,
  (s) => findIdempotency(s, { projectId: 'p', userId: 'u', rpc: 'r', key: 'k' }),
  /PRIMARY KEY/,
);
test(
  'events are followed',
  isIndexed,
  (s) => readEvents(s, { tx: 0, seq: 1 }, 100),
  /SEARCH events USING INTEGER PRIMARY KEY \(rowid>/,
);
test(
  'how far a creation was is forgotten',
  isIndexed,
  (s) => s.apply([deleteCreationProgress('i')]),
  /events_of_progress/,
);
test(
  'a clone in the making is noticed',
  isIndexed,
  (s) => s.apply([transition('beginDelete', { id: 'i' })]),
  /volumes_in_all_by_source_volume_id/,
);
test('what is old is purged', isIndexed, (s) => purge(s), /volumes_by_deletion/);
test('what has waited longest is found', isIndexed, (s) => oldestUnfinished(s), /workers_by_age/);
test('work is counted in an index alone', isIndexed, (s) => countUnfinished(s), /COVERING INDEX workers_to_send/);
for (const table of ['snapshots', 'backups', 'groups']) {
  const index = new RegExp(`SEARCH ${table} USING COVERING INDEX ${table}_in_project`);
  test(`the ${table} that count are counted`, isIndexed, (s) => disownAndCount(s, 'p'), index);
}
for (const table of USAGE_TABLES) {
  const ask = (s: Store) => listUsageRecords(s, table, { projectId: 'p', ...PAGE });
  test(`the ${table} of a usage are listed`, isIndexed, ask, new RegExp(`${table}_in_project .*created_at>`));
}
const UNCHECKED = { minAgeMs: 1, limit: 10 };
test('projects to be compared are taken', isIndexed, (s) => takeUnchecked(s, UNCHECKED), /quota_projects_by_check/);
test('projects are listed', isIndexed, (s) => listQuotaProjects(s, { after: 'a', limit: 1 }), /SEARCH quota_projects/);
test('the oldest settlement is found', isIndexed, (s) => oldestSettlementMs(s), /quota_settlements_by_age/);
test('how far watches are behind is seen', isIndexed, (s) => ageOfNext(s, { tx: 0, seq: 1 }), /SEARCH events/);

const RANGE = { after: 'a', until: 'b', limit: 1 };
const WORK = { ...RANGE, resourceType: 'Volume', downAfterMs: 1 };
const TRANSIT = { status: 'creating', after: PAGE.after, until: PAGE.after, limit: 1 } as const;
test('work is diagnosed', isIndexed, (s) => workFacts(s, WORK), /SEARCH w .*resource_type=\? AND resource_id>\?/);
test('the quota of staged work is looked up', isIndexed, (s) => workFacts(s, WORK), /SEARCH q .*project_id=\?/);
test('transient statuses are diagnosed', isIndexed, (s) => transientFacts(s, TRANSIT), /volumes_in_all_by_status/);
test('statuses in use are found', isIndexed, (s) => statusesInUse(s, 2), /volumes_in_all_by_status.*status>\?/);
test('settlements are diagnosed', isIndexed, (s) => settlementFacts(s, RANGE), /SEARCH q .*id>\?/);

const BETWEEN = { backend: 'b', after: '["b#p",1,"i"]', until: '', limit: 1 };
const LEFTOVERS = { backend: 'b', after: undefined, limit: 1 };
test("a backend's records are gone through", isIndexed, (s) => recordsBetween(s, BETWEEN), /volumes_in_all_by_host/);
test('records of files are found', isIndexed, (s) => recordsNamed(s, 'b', ['i']), /volumes_by_name_on_storage/);
test('names that are on record are found', isIndexed, (s) => namesOnRecord(s, ['i']), /volumes_by_name_on_storage/);
test(
  "a backend's leftovers are found",
  isIndexed,
  (s) => leftoversOf(s, LEFTOVERS),
  /leftovers_by_host|SEARCH leftovers/,
);
test('records of no backend are found', isIndexed, (s) => recordsOfNoBackend(s, 1), /volumes_in_all_by_host.*host=\?/);
test('work on files is found', isIndexed, (s) => workAt(s, 'b', ['i']), /resource_type=\? AND resource_id=\?/);
test('backends with records are found', isIndexed, (s) => backendsWithRecords(s), /volumes_in_all_by_host.*host>\?/);
test('those who have claimed room are found', isIndexed, (s) => claimantFacts(s, ['i']), /SEARCH volumes .*id=\?/);
