import test, { type ExecutionContext } from 'ava';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GIB } from '#src/drivers/driver.js';
import type { LogFields } from '#src/log/fields.js';
import { OrphanSweep, type OrphanSweepOptions } from '#src/volume/orphan-sweep.js';
import { repairStorage as repairHandler } from '#src/volume/handlers/repair-storage.js';
import { lookAtStorage, type StorageProblem } from '#src/volume/storage-look.js';
import { problemToWire } from '#src/volume/storage-on-the-wire.js';
import { repairStorage } from '#src/volume/storage-repair.js';
import { breakRow } from '../support/broken-rows.js';
import { Gate } from '../support/gate.js';
import {
  BACKEND,
  CONTEXT,
  destroyRecord,
  hookedDriver,
  POOL,
  type VolumeService,
  volumeService,
} from './volume-service.js';

const EVER = new AbortController().signal;

test('a backend that agrees with its records has no problem, whatever it is at work on', async (t) => {
  const gate = new Gate();
  const service = await volumeService(t, { driver: hookedDriver({ beforeDelete: () => gate.enter() }) });
  await service.work(await service.placed());
  await service.placed();
  const going = await service.deleting();
  await service.deliver([going]);
  await gate.inside(1);
  await rm(fileOf(service, going.id)); // as the driver does, before the record goes

  t.deepEqual(await problemsOf(service), []);
  gate.open();
  await service.next();
});

test('files and records that do not agree are found by name', async (t) => {
  const service = await volumeService(t);
  const [lost, small] = [await made(service), await made(service)];
  await rm(fileOf(service, lost));
  await truncate(fileOf(service, small), GIB / 2);
  const stray = await strayFile(service);
  const left = randomUUID();
  await writeFile(join(service.folder, POOL, `.volume-${left}.7`), '');

  const problems = await problemsOf(service);

  const about = problems.map(({ kind, volumeId, epoch }) => [kind, volumeId, epoch]);
  t.deepEqual(about.slice(0, 2).toSorted(), [
    ['file_of_other_size', small, 0],
    ['record_without_file', lost, 0],
  ]);
  t.deepEqual(about.slice(2).toSorted(), [
    ['file_without_record', stray, 0],
    ['half_made_file_left', left, 7],
  ]);
  t.true(problems.every(({ pool }) => pool === POOL));
});

test('a folder in place of a file is said to be none', async (t) => {
  const service = await volumeService(t);
  const id = await made(service);
  await rm(fileOf(service, id));
  await mkdir(fileOf(service, id));
  const problems = await problemsOf(service);
  t.like(problems, [{ kind: 'file_of_other_size', volumeId: id }]);
  t.regex(problems[0]?.description ?? '', /^what has its name is no file, and its record says/);
});

test('a record that names a pool or a file which cannot be has no file, and does not hide the others', async (t) => {
  const service = await volumeService(t);
  const [moved, renamed, lost] = [await made(service), await made(service), await made(service)];
  await breakRow(service.store, 'volumes', moved, { host: `${BACKEND}#gone` });
  await breakRow(service.store, 'volumes', renamed, { name_id: '../../etc/passwd' });
  await rm(fileOf(service, lost));
  const problems = await problemsOf(service);
  const ofKind = (kind: string) =>
    problems.filter((problem) => problem.kind === kind).map((problem) => problem.volumeId);
  t.deepEqual(ofKind('record_without_file').toSorted(), [moved, renamed, lost].toSorted());
  t.deepEqual(ofKind('file_without_record').toSorted(), [moved, renamed].toSorted());
});

test('a page of records can be looked at again, and the files come last', async (t) => {
  const service = await volumeService(t);
  const ids = await Promise.all(Array.from({ length: 1_200 }, async () => (await service.placed()).id));
  await service.store.apply([destroyRecord(ids[0] ?? '')]);

  const first = await look(service, '');
  t.is(first.examined, 1_000);
  t.deepEqual(await look(service, '', first.last), first);
  const second = await look(service, first.last);
  t.is(second.examined, 199);
  t.is((await look(service, second.last)).last, '');
});

test('a file without a record is put away once its time is over, and its data stay', async (t) => {
  const { service, sweep, lines, pass, outcomes } = await swept(t, { graceMs: 1_000 });
  const kept = await made(service);
  const stray = await strayFile(service);

  await sweep.sweep();
  t.is(sweep.seen.problems.file_without_record, 0, 'seen only once');
  await sweep.sweep();
  t.is(sweep.seen.problems.file_without_record, 1);
  await sweep.sweep();
  t.is(said(lines, 'files and records do not agree').length, 1, 'said once');
  t.true((await service.files()).includes(`volume-${stray}`), 'its time is not over');

  pass(1_000);
  await sweep.sweep();
  t.deepEqual(
    (await service.files()).filter((name) => name.startsWith('volume-')),
    [`volume-${kept}`],
  );
  t.deepEqual(await readdir(join(service.folder, POOL, '.quarantine')), [`volume-${stray}.1`]);
  t.is(said(lines, 'a file that no record explains was put away').length, 1);
  t.deepEqual(outcomes, ['quarantined']);
  await sweep.sweep();
  t.deepEqual(sweep.seen, { problems: NONE, quarantined: 1 });
});

test('a record that comes back in time keeps its file', async (t) => {
  const { service, sweep, pass } = await swept(t, { graceMs: 1_000 });
  const id = await strayFile(service);
  await sweep.sweep();
  pass(2_000);
  await service.placed({ id });
  await sweep.sweep();
  t.true((await service.files()).includes(`volume-${id}`));
});

test('what is half-made is left to the work that makes it, and removed when that is nobody', async (t) => {
  const gate = new Gate();
  const { service, sweep, pass } = await swept(t, {
    graceMs: 1_000,
    driver: hookedDriver({ before: () => gate.enter() }),
  });
  const working = await service.placed();
  await service.deliver([working]);
  await gate.inside(1);
  const [live, dead] = [`.volume-${working.id}.2`, `.volume-${randomUUID()}.2`];
  for (const name of [live, dead]) await writeFile(join(service.folder, POOL, name), '');

  await sweep.sweep();
  pass(2_000);
  await sweep.sweep();

  t.deepEqual(
    (await service.files()).filter((name) => name.endsWith('.2')),
    [live],
  );
  await rm(join(service.folder, POOL, live));
  gate.open();
  await service.next();
});

test('nothing is put away where most files have no record: that is rather the wrong database', async (t) => {
  const { service, sweep, lines, pass } = await swept(t, { graceMs: 1_000 });
  await made(service);
  const strays = await Promise.all(Array.from({ length: 1_010 }, () => strayFile(service)));
  await sweep.sweep();
  pass(2_000);
  await sweep.sweep();

  t.is((await service.files()).filter((name) => name.startsWith('volume-')).length, 1_011);
  t.is(said(lines, 'most files have no record: nothing is put away; is this the right database?').length, 1);

  for (const id of strays.slice(10)) await rm(fileOf(service, id));
  await sweep.sweep();
  pass(2_000);
  await sweep.sweep();
  t.is((await service.files()).filter((name) => name.startsWith('volume-')).length, 1, 'ten are few');
});

test('the quarantine is emptied only where the configuration says so, and only of what is old enough', async (t) => {
  const keeping = await swept(t, { graceMs: 0 });
  await strayFile(keeping.service);
  await keeping.sweep.sweep();
  keeping.pass(365 * 86_400_000);
  await keeping.sweep.sweep();
  t.is(keeping.sweep.seen.quarantined, 1);

  const removing = await swept(t, { graceMs: 0, removeAfterMs: 60_000 });
  await strayFile(removing.service);
  await removing.sweep.sweep();
  await removing.sweep.sweep();
  t.is(removing.sweep.seen.quarantined, 1);
  removing.pass(120_000);
  await removing.sweep.sweep();
  t.is(removing.sweep.seen.quarantined, 0);
  t.deepEqual(await readdir(join(removing.service.folder, POOL, '.quarantine')), []);
  t.deepEqual(removing.outcomes, ['quarantined', 'removed']);
});

test('a clock that jumps ahead, of the host or of the database, destroys nothing in quarantine', async (t) => {
  const ahead = { host: 0, database: 0 };
  const { service, sweep, pass } = await swept(t, {
    ...{ graceMs: 0, removeAfterMs: 60_000, now: () => Date.now() + ahead.host },
    databaseNow: async () => Date.now() + ahead.database,
  });
  await strayFile(service);
  await sweep.sweep();
  await sweep.sweep();
  for (const [host, database] of [
    [10 * YEAR_MS, 0],
    [0, 10 * YEAR_MS],
    [10 * YEAR_MS, 10 * YEAR_MS],
  ] as const) {
    Object.assign(ahead, { host, database });
    pass(20_000);
    await sweep.sweep();
    t.is(sweep.seen.quarantined, 1);
  }
  pass(20_000);
  await sweep.sweep();
  t.is(sweep.seen.quarantined, 0, 'its time has really passed');
});

test('a file that lay in quarantine before is not destroyed for a day, whatever its stamp says', async (t) => {
  let passed = 0;
  const { service, sweep } = await swept(t, {
    ...{ graceMs: 0, removeAfterMs: 30 * DAY_MS, now: () => Date.now() + YEAR_MS },
    ...{ uptime: () => passed, databaseNow: async () => Date.now() + YEAR_MS },
  });
  const quarantine = join(service.folder, POOL, '.quarantine');
  await mkdir(quarantine);
  const [old, written] = [`volume-${randomUUID()}.1`, `volume-${randomUUID()}.1`];
  for (const name of [old, written]) await writeFile(join(quarantine, name), '');
  const afterStamp = new Date(Date.now() + YEAR_MS);
  await utimes(join(quarantine, written), afterStamp, afterStamp);

  await sweep.sweep();
  passed = 0.9 * DAY_MS;
  await sweep.sweep();
  t.is(sweep.seen.quarantined, 2);
  passed = 1.1 * DAY_MS;
  await sweep.sweep();
  t.deepEqual(await readdir(quarantine), [written], 'it was written after it was put away: the clock was behind then');
});

test('what is in quarantine is not destroyed as long as there is a record of it, on whatever backend', async (t) => {
  const { service, sweep, pass, outcomes } = await swept(t, { graceMs: 0, removeAfterMs: 60_000 });
  const [here, elsewhere, migrated] = [await made(service), await made(service), await made(service)];
  await sweep.sweep();
  await breakRow(service.store, 'volumes', here, { host: `${BACKEND}#gone` });
  await breakRow(service.store, 'volumes', elsewhere, { host: 'beta@file#pool' });
  const successorId = randomUUID();
  await service.store.apply([destroyRecord(migrated)]);
  await service.placed({ id: successorId });
  await breakRow(service.store, 'volumes', successorId, { name_id: migrated, host: 'beta@file#pool' });
  await sweep.sweep();
  await sweep.sweep();
  t.is(sweep.seen.quarantined, 3);

  pass(120_000);
  await sweep.sweep();
  t.is(sweep.seen.quarantined, 3);
  for (const id of [here, successorId]) await service.store.apply([destroyRecord(id)]);
  await sweep.sweep();
  t.deepEqual(await readdir(join(service.folder, POOL, '.quarantine')), [`volume-${elsewhere}.1`]);
  t.is(outcomes.filter((outcome) => outcome === 'removed').length, 2);
});

test('a folder that has the name of a file is left, and does not keep the sweep from the others', async (t) => {
  const { service, sweep, lines, pass } = await swept(t, { graceMs: 0, removeAfterMs: 60_000 });
  const quarantine = join(service.folder, POOL, '.quarantine');
  const folders = [`volume-${randomUUID()}`, `.volume-${randomUUID()}.2`, `.quarantine/volume-${randomUUID()}.1`];
  for (const name of folders) await mkdir(join(service.folder, POOL, name), { recursive: true });
  const strays = await Promise.all(Array.from({ length: 5 }, () => strayFile(service)));

  await sweep.sweep();
  await sweep.sweep();
  t.is((await readdir(quarantine)).length, strays.length + 1);
  pass(120_000);
  await sweep.sweep();

  t.deepEqual(await readdir(quarantine), [folders[2]?.slice('.quarantine/'.length)]);
  t.true(folders.slice(0, 2).every((name) => existsSync(join(service.folder, POOL, name))));
  t.like(said(lines, 'files could not be put away')[0], { count: 2 });
  t.deepEqual(said(lines, 'a backend could not be swept'), []);
});

test('a repair that comes when a record explains the file, or work is on its way, does nothing', async (t) => {
  const service = await volumeService(t);
  const id = await strayFile(service);
  const [problem] = await problemsOf(service);
  if (!problem) throw new Error('the file was not found');
  await service.placed({ id });

  t.false(await repairStorage(service.store, service.backend, problem, EVER));
  await service.store.apply([destroyRecord(id)]);
  t.false(await repairStorage(service.store, service.backend, problem, EVER), 'its row of work is still there');
  t.true((await service.files()).includes(`volume-${id}`));
});

test('no repair puts files away where most have no record: that is rather the wrong database', async (t) => {
  const service = await volumeService(t);
  const handler = repairHandler({ store: service.store, backends: { find: () => service.backend } });
  const repair = (problem: StorageProblem) =>
    handler(
      { problem: problemToWire(problem) },
      { context: CONTEXT, target: BACKEND, version: '3.20', deadline: Date.now() + 10_000, signal: EVER },
    );
  await made(service);
  for (let i = 0; i < 11; i += 1) await strayFile(service);
  const [problem] = await problemsOf(service);
  if (!problem) throw new Error('no file was found');

  await t.throwsAsync(repair(problem), {
    name: 'MostFilesUnexplained',
    message:
      /^11 files of 'alpha@file' have no record, and only 1 have one: none is put away\. Look whether database_url/,
  });
  t.is((await service.files()).filter((name) => name.startsWith('volume-')).length, 12);
});

test('a sweep that fails is said in the log, and the next one is made all the same', async (t) => {
  const { service, sweep, lines } = await swept(t, { graceMs: 0 });
  await rm(join(service.folder, POOL), { recursive: true });
  await made(service).catch(() => undefined);
  await service.backend.stop();
  await sweep.sweep();
  t.is(said(lines, 'a backend could not be swept').length, 1);
});

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;

const NONE = { record_without_file: 0, file_of_other_size: 0, file_without_record: 0, half_made_file_left: 0 };

/** A volume service and its sweep, whose clocks go on when the test says so. */
async function swept(
  t: ExecutionContext,
  options: Partial<OrphanSweepOptions> & { readonly driver?: ReturnType<typeof hookedDriver> },
) {
  const { driver, ...own } = options;
  const service = await volumeService(t, driver ? { driver } : {});
  const lines: (LogFields & { readonly message: string })[] = [];
  const outcomes: string[] = [];
  const write = (message: string, fields: LogFields = {}): void => void lines.push({ ...fields, message });
  let passed = 0;
  const sweep = new OrphanSweep({
    ...{ backends: () => [service.backend], store: service.store, intervalMs: 3_600_000, graceMs: 0 },
    ...{ removeAfterMs: undefined, uptime: () => passed, now: () => Date.now() + passed },
    databaseNow: async () => Date.now() + passed,
    log: { info: write, warn: write, error: write },
    onSwept: (what) => outcomes.push(what),
    ...own,
  });
  t.teardown(() => sweep.stop());
  return { service, sweep, lines, outcomes, pass: (ms: number) => (passed += ms) };
}

const said = (lines: readonly { readonly message: string }[], message: string) =>
  lines.filter((line) => line.message === message);

async function made(service: VolumeService): Promise<string> {
  const placed = await service.placed();
  await service.work(placed);
  return placed.id;
}

async function strayFile(service: VolumeService): Promise<string> {
  const id = randomUUID();
  await writeFile(fileOf(service, id), 'somebody may want this');
  return id;
}

function fileOf({ folder }: VolumeService, id: string): string {
  return join(folder, POOL, `volume-${id}`);
}

const look = ({ store, backend }: VolumeService, after: string, until = '') =>
  lookAtStorage(store, backend, { after, until }, EVER);

async function problemsOf(service: VolumeService): Promise<readonly StorageProblem[]> {
  const problems: StorageProblem[] = [];
  let after = '';
  do {
    const page = await look(service, after);
    problems.push(...page.problems);
    after = page.last;
  } while (after !== '');
  return problems;
}
