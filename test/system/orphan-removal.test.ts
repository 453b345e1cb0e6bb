import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import test from 'ava';
import { type Installation, installationFor, until } from '../support/installation.js';
import { type Shown, shownBy } from '../support/metrics.js';

/** Sweeps each second; what is in quarantine is old enough to be removed a second later. */
const HASTY = {
  ...{ CINDER_ORPHAN_SWEEP_INTERVAL: '1', CINDER_ORPHAN_GRACE_TIME: '1', CINDER_ORPHAN_KEEP_TIME: '1' },
  CINDER_BACKEND_STATS_POLLING_INTERVAL: '3',
};

test('a file without a record is put away and reported, and never removed unless the configuration says so', async (t) => {
  const installation = await installationFor(t, HASTY);
  const shown = await shownBy(installation.process);
  const strays = [await putAway(installation)];
  // each later one takes sweeps that find the first older than orphan_keep_time
  for (let i = 0; i < 3; i++) strays.push(await putAway(installation));

  t.deepEqual((await readdir(quarantineOf(installation))).sort(), strays.map((name) => `${name}.1`).sort());
  await until(async () => ((await quarantined(shown)) === strays.length ? true : undefined), 'all of them to be shown');
  t.is(await swept(shown, 'quarantined'), strays.length);
  t.is((await swept(shown, 'removed')) ?? 0, 0);
  for (const stray of strays) {
    const line = new RegExp(`"a file that no record explains was put away".*"${stray.slice('volume-'.length)}"`);
    t.regex(installation.process.stderr(), line);
  }
  t.notRegex(installation.process.stderr(), /was destroyed/);
});

test('orphan_removal = remove is what empties the quarantine', async (t) => {
  const installation = await installationFor(t, { ...HASTY, CINDER_ORPHAN_REMOVAL: 'remove' });
  const shown = await shownBy(installation.process);
  await putAway(installation);
  await installation.process.wrote(/a file of the quarantine was destroyed/);
  t.deepEqual(await readdir(quarantineOf(installation)), []);
  t.is(await swept(shown, 'removed'), 1);
});

/** Makes a file that no record explains, and waits until it is in quarantine or beyond. Answers its name. */
async function putAway(installation: Installation): Promise<string> {
  const stray = installation.volumeFile(randomUUID());
  await writeFile(stray, 'somebody may want this');
  await until(async () => (existsSync(stray) ? undefined : true), 'the file to be put away');
  return basename(stray);
}

function quarantineOf(installation: Installation): string {
  return join(dirname(installation.volumeFile('any')), '.quarantine');
}

const quarantined = (shown: Shown) => shown.value('cinder_quarantined_files');
const swept = (shown: Shown, what: string) => shown.value('cinder_orphans_total', { outcome: what });
