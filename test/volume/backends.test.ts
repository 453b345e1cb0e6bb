import test, { type ExecutionContext } from 'ava';
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileDriver, type FileDriverOptions } from '#src/drivers/file/file-driver.js';
import type { LogFields } from '#src/log/fields.js';
import { Backend } from '#src/volume/backend.js';
import { Backends, type BackendsOptions } from '#src/volume/backends.js';
import { Gate } from '../support/gate.js';
import { eventually } from '../support/redis.js';
import { sqliteStore } from '../support/sql.js';
import { folderFor } from '../support/folder.js';

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

test('a backend whose folder goes away looks down, and is up again when the folder is back', async (t) => {
  const folder = await folderFor(t);
  const { backends, cameUp, lines, wentDown } = await backendsAt(t, folder, ['good', 'moved']);
  await backends.start();
  const moved = backends.find('host@moved');
  await moved?.driver.createVolume(
    { id: randomUUID(), pool: 'pool', sizeGib: 1, epoch: 1, resumed: false },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );

  await rename(join(folder, 'moved'), join(folder, 'away'));
  await wentDown('host@moved');
  t.false(moved?.isUp);
  t.true(backends.find('host@good')?.isUp);
  t.true(lines.some(({ level, fields }) => level === 'error' && /ENOENT/.test(String(fields.error))));
  await mkdir(join(folder, 'moved', 'pool'), { recursive: true });
  const refusal = 'none of its 1 volumes is there: is its file system mounted?';
  await eventually('an empty folder is refused', () =>
    lines.some(({ fields }) => String(fields.error).includes(refusal)),
  );
  t.false(moved?.isUp);

  await rm(join(folder, 'moved'), { recursive: true });
  await rename(join(folder, 'away'), join(folder, 'moved'));
  await cameUp('host@moved', 2);
  t.true(moved?.isUp);
});

test('a backend whose file system hangs keeps no other from starting, and is up when it answers', async (t) => {
  const folder = await folderFor(t);
  const gate = new Gate();
  class Hanging extends FileDriver {
    override async start(signal: AbortSignal): ReturnType<FileDriver['start']> {
      await gate.enter();
      return super.start(signal);
    }
  }
  const driverOf = (options: FileDriverOptions): FileDriver =>
    options.backend === 'host@hung' ? new Hanging(options) : new FileDriver(options);
  const more = { startPatienceMs: 200 };
  const { backends, cameUp, lines } = await backendsAt(t, folder, ['good', 'hung'], 10, driverOf, more);
  t.teardown(() => gate.open());

  await backends.start();

  await cameUp('host@good');
  t.false(backends.find('host@hung')?.isUp);
  t.true(lines.some(({ level, fields }) => level === 'warn' && fields.backend === 'host@hung'));
  gate.open();
  await cameUp('host@hung');
  t.true(backends.find('host@hung')?.isUp);
});

test('a backend whose file system hangs keeps no other from being looked at', async (t) => {
  const folder = await folderFor(t);
  const gate = new Gate();
  let isHung = false;
  let looks = 0;
  class Watched extends FileDriver {
    override check(): Promise<void> {
      looks += 1;
      return super.check();
    }
  }
  class Hanging extends FileDriver {
    override check(): Promise<void> {
      return isHung ? gate.enter() : super.check();
    }
  }
  const driverOf = (options: FileDriverOptions): FileDriver =>
    options.backend === 'host@hung' ? new Hanging(options) : new Watched(options);
  const more = { answerPatienceMs: 3_600_000 };
  const { backends, wentDown } = await backendsAt(t, folder, ['moved', 'hung'], 10, driverOf, more);
  t.teardown(() => gate.open());
  await backends.start();
  isHung = true;
  await gate.inside(1);
  const before = looks;
  await eventually('the other one is looked at again', () => looks > before + 1);

  await rename(join(folder, 'moved'), join(folder, 'away'));
  await wentDown('host@moved');

  t.true(backends.find('host@hung')?.isUp);
  t.is(gate.most, 1, 'it is asked once');
});

test('a backend that does not answer a look in time looks down, and is up again when it has answered', async (t) => {
  const folder = await folderFor(t);
  const [look, work] = [new Gate(), new Gate()];
  const { driverOf, hang } = hangingAt(look);
  const more = { answerPatienceMs: 50 };
  const { backends, cameUp, lines, wentDown } = await backendsAt(t, folder, ['hung'], 10, driverOf, more);
  t.teardown(() => {
    look.open();
    work.open();
  });
  await backends.start();
  const hung = backends.find('host@hung');
  const { signal } = new AbortController();
  const working = hung?.run('one', signal, () => work.enter());
  await work.inside(1);

  hang();
  await wentDown('host@hung');

  t.false(hung?.isUp);
  t.true(
    lines.some(({ level, fields }) => level === 'error' && /has not answered for 50 ms/.test(String(fields.error))),
  );
  const late = t.throwsAsync(async () => hung?.run('two', signal, async () => hung.driver.capacity()), {
    name: 'DriverNotInitialized',
  });
  work.open();
  await Promise.all([working, late]);
  t.false(hung?.isUp, 'it has not answered yet');
  t.is(look.most, 1, 'it is asked once');
  look.open();
  await cameUp('host@hung', 2);
  t.true(hung?.isUp);
});

for (const when of ['before it looks down', 'when it looks down'] as const) {
  test(`a backend that hangs does not hold up a stop ${when}`, async (t) => {
    const folder = await folderFor(t);
    const look = new Gate();
    const { driverOf, hang } = hangingAt(look);
    const isDown = when === 'when it looks down';
    const more = { answerPatienceMs: isDown ? 50 : 3_600_000 };
    const { backends, wentDown } = await backendsAt(t, folder, ['hung'], 10, driverOf, more);
    t.teardown(() => look.open());
    await backends.start();
    hang();
    await look.inside(1);
    if (isDown) await wentDown('host@hung');

    await t.notThrowsAsync(backends.stop());
  });
}

test('a backend that falls lets the work on it end first, and begins none', async (t) => {
  const folder = await folderFor(t);
  const { backends, cameUp, wentDown } = await backendsAt(t, folder, ['moved']);
  await backends.start();
  const moved = backends.find('host@moved');
  const gate = new Gate();
  const { signal } = new AbortController();
  const working = moved?.run('one', signal, () => gate.enter());
  await gate.inside(1);

  await rename(join(folder, 'moved'), join(folder, 'away'));
  await wentDown('host@moved');
  await rename(join(folder, 'away'), join(folder, 'moved'));
  const late = t.throwsAsync(async () => moved?.run('two', signal, async () => moved.driver.capacity()), {
    name: 'DriverNotInitialized',
  });
  gate.open();
  await working;
  await late;
  await cameUp('host@moved', 2);
  t.true(moved?.isUp);
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

/** Drivers whose looks go through a gate once they are told to hang. */
function hangingAt(gate: Gate) {
  let isHung = false;
  class Hanging extends FileDriver {
    override check(): Promise<void> {
      return isHung ? gate.enter() : super.check();
    }
  }
  return { driverOf: (options: FileDriverOptions): FileDriver => new Hanging(options), hang: () => (isHung = true) };
}

/** Backends below a folder, each with a pool, and what they log. */
async function backendsAt(
  t: ExecutionContext,
  folder: string,
  names: readonly string[],
  firstPauseMs = 10,
  driverOf = (options: FileDriverOptions): FileDriver => new FileDriver(options),
  more: Partial<BackendsOptions> = {},
) {
  const lines: { level: string; fields: LogFields }[] = [];
  const write =
    (level: string) =>
    (_message: string, fields: LogFields = {}): void =>
      void lines.push({ level, fields });
  const [up, down]: [string[], string[]] = [[], []];
  const count = (list: readonly string[], name: string): number => list.filter((one) => one === name).length;
  const backends = new Backends({
    backends: names.map((name) => {
      const driver = driverOf({ backend: `host@${name}`, path: join(folder, name), pools: [{ name: 'pool' }] });
      return new Backend({ name: `host@${name}`, volumeBackendName: name, driver, concurrency: 1 });
    }),
    store: await sqliteStore(t),
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    onUp: ({ name }) => up.push(name),
    onDown: ({ name }) => down.push(name),
    checkEveryMs: 10,
    ...more,
    firstPauseMs,
    longestPauseMs: Math.max(firstPauseMs, 50),
  });
  t.teardown(() => backends.stop());
  return {
    ...{ backends, lines },
    cameUp: (name: string, times = 1) => eventually(`${name} is up`, () => count(up, name) === times),
    wentDown: (name: string) => eventually(`${name} is down`, () => count(down, name) === 1),
  };
}
