import test, { type ExecutionContext } from 'ava';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDriver } from '#src/drivers/file/file-driver.js';
import type { LogFields } from '#src/log/fields.js';
import { Backend } from '#src/volume/backend.js';
import { Backends } from '#src/volume/backends.js';
import { sqliteStore } from '../support/sql.js';

test('a backend that does not start looks down and is tried again, while the others serve', async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, 'broken'), 'a file where the folder should be');
  const { backends, cameUp, lines } = await backendsAt(t, folder, ['good', 'broken']);

  await backends.start();

  t.true(backends.find('host@good')?.isUp);
  t.false(backends.find('host@broken')?.isUp);
  t.throws(() => backends.find('host@broken')?.driver, { name: 'DriverNotInitialized' });
  t.true(lines.some(({ fields }) => fields.backend === 'host@broken' && fields.error !== undefined));

  await rm(join(folder, 'broken'));
  await cameUp('host@broken');
  t.true(backends.find('host@broken')?.isUp);
});

test('backends that never start do not hold up a stop', async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, 'broken'), '');
  const { backends } = await backendsAt(t, folder, ['broken'], 3_600_000);
  await backends.start();
  await t.notThrowsAsync(backends.stop());
});

test('what is found on the storage is logged and can be asked for', async (t) => {
  const folder = await folderFor(t);
  const { backends, lines } = await backendsAt(t, folder, ['good']);
  await backends.start();
  await backends.stop();
  const stray = '33333333-3333-4333-8333-333333333333';
  await writeFile(join(folder, 'good', 'pool', `volume-${stray}`), '');

  const again = await backendsAt(t, folder, ['good']);
  await again.backends.start();

  t.is(again.backends.findings('host@good')?.strays[0]?.volume.id, stray);
  t.true(again.lines.some(({ level, fields }) => level === 'warn' && JSON.stringify(fields['named']).includes(stray)));
  t.is(lines.filter(({ level }) => level === 'warn').length, 0);
});

async function folderFor(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backends-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Backends below a folder, each with a pool, and what they log. */
async function backendsAt(t: ExecutionContext, folder: string, names: readonly string[], firstPauseMs = 10) {
  const lines: { level: string; fields: LogFields }[] = [];
  const write =
    (level: string) =>
    (_message: string, fields: LogFields = {}): void =>
      void lines.push({ level, fields });
  const up = new Map<string, () => void>();
  const waiting = new Map(names.map((name) => [`host@${name}`, new Promise<void>((ok) => up.set(`host@${name}`, ok))]));
  const backends = new Backends({
    backends: names.map((name) => {
      const driver = new FileDriver({ backend: `host@${name}`, path: join(folder, name), pools: [{ name: 'pool' }] });
      return new Backend({ name: `host@${name}`, volumeBackendName: name, driver, concurrency: 1 });
    }),
    store: await sqliteStore(t),
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    onUp: (backend) => up.get(backend.name)?.(),
    firstPauseMs,
    longestPauseMs: Math.max(firstPauseMs, 50),
  });
  t.teardown(() => backends.stop());
  return { backends, lines, cameUp: async (name: string) => waiting.get(name) };
}
