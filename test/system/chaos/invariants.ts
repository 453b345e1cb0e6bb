import { readdir } from 'node:fs/promises';
import type { CinderClient } from '#src/client/index.js';
import { BACKENDS, type Estate } from './estate.js';
import { disagreements, type Ledger, type VolumeRow } from './ledger.js';

/** Everything that must be true of an estate that nothing disturbs any more, as sentences; none: it is. */
export async function violations(estate: Estate, admin: CinderClient, ledger: Ledger): Promise<readonly string[]> {
  const unfinished = await unfinishedWork(estate);
  // the doctor looks twice at what is only on its way: it is asked when nothing is
  if (unfinished.length > 0) return unfinished;
  const records = await allVolumes(estate);
  return [
    ...disagreements(ledger, records, endsSince(estate)),
    ...(await strayFiles(estate, records)),
    ...(await quotaDifferences(admin)),
    ...(await findings(admin)),
  ];
}

/** How often processes that work on volumes have ended since a moment, ms since 1970. */
function endsSince(estate: Estate): (moment: number) => number {
  const ends = [...estate.of('scheduler'), ...estate.of('volume')].flatMap(({ endedAt }) => endedAt);
  return (moment) => ends.filter((at) => at >= moment).length;
}

/** Transient statuses, rows of work and settlements. */
async function unfinishedWork(estate: Estate): Promise<readonly string[]> {
  const rows = await estate.query<{ what: string }>(
    `select 'volume ' || id || ' is ' || status as what from volumes
       where deleted_at is null and status not in ('available', 'error', 'error_deleting')
     union all select 'work ' || method || ' of ' || workers.binary || ' on ' || resource_id || ' is ' || state ||
       ', sends ' || sends || ', claims ' || claims from workers
     union all select 'settlement ' || kind || ' of ' || resource_id || ' is ' || state from quota_settlements`,
  );
  return rows.map(({ what }) => what);
}

async function allVolumes(estate: Estate): Promise<readonly VolumeRow[]> {
  return estate.query<VolumeRow>(
    `select id, name, status, host, status_reason, deleted_at is not null as is_deleted,
       launched_at is not null as was_made, created_at::float8 as created_at from volumes`,
  );
}

/** Files without a record there, records without a file, files half made. What failed may have one until it is deleted. */
async function strayFiles(estate: Estate, records: readonly VolumeRow[]): Promise<readonly string[]> {
  const live = records.filter((row) => !row.is_deleted);
  const known = new Set(live.map(placeOf));
  const expected = live.filter(({ status }) => !status.startsWith('error')).map(placeOf);
  const found = new Set<string>();
  const odd: string[] = [];
  for (const { name: host } of estate.of('volume')) {
    for (const backend of BACKENDS) {
      const files = await readdir(estate.poolFolder(host, backend)).catch(() => []);
      for (const file of files) {
        if (file.startsWith('volume-')) found.add(`${host}@${backend}#pool ${file.slice('volume-'.length)}`);
        else if (file.startsWith('.volume-')) odd.push(`half-made ${file} at ${host}@${backend}`);
      }
    }
  }
  return [
    ...odd,
    ...[...found].filter((each) => !known.has(each)).map((each) => `a file without a record: ${each}`),
    ...expected.filter((each) => !found.has(each)).map((each) => `a record without a file: ${each}`),
  ];
}

function placeOf({ id, host }: VolumeRow): string {
  return `${host ?? ''} ${id}`;
}

/** Of all projects, between Redis and the records. */
async function quotaDifferences(admin: CinderClient): Promise<readonly string[]> {
  const { differences } = await admin.quotas.checkQuotas({ projectId: '', pageSize: 1_000, pageToken: '' });
  return differences.map((each) => `quota differs: ${JSON.stringify(each)}`);
}

/** Whatever the doctor finds, and whether it has looked at everything. */
async function findings(admin: CinderClient): Promise<readonly string[]> {
  const found: string[] = [];
  let isWhole = false;
  for await (const { message } of admin.diagnostics.diagnose({ subjects: [] }, { timeoutMs: 20_000 })) {
    if (message?.$case === 'finding') found.push(`doctor: ${message.value.kind} ${message.value.description}`);
    if (message?.$case === 'summary') isWhole = true;
  }
  return isWhole ? found : [...found, 'the doctor has not looked at everything'];
}
