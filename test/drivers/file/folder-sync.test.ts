import test from 'ava';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { FolderSync } from '#src/drivers/file/folder-sync.js';
import { folderFor } from '../../support/folder.js';

test('callers of one moment share an fsync, and a later one never shares a running one', async (t) => {
  const folder = await folderFor(t);
  const handle = await open(folder);
  t.teardown(() => handle.close());
  const order: string[] = [];
  const entries = new FolderSync(handle.fd, (descriptor, done) => {
    order.push('begin');
    fs.fsync(descriptor, (error) => {
      order.push('end');
      done(error);
    });
  });

  const first = [entries.sync(), entries.sync(), entries.sync()];
  while (order.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const late = entries.sync();
  await Promise.all([...first, late]);

  t.deepEqual(order, ['begin', 'end', 'begin', 'end']);
});

test('a failed fsync is told to those who shared it, and the next ones try again', async (t) => {
  let fail = true;
  const entries = new FolderSync(0, (_descriptor, done) => done(fail ? new Error('EIO') : null));

  const failed = await Promise.allSettled([entries.sync(), entries.sync()]);
  fail = false;

  t.deepEqual(
    failed.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await t.notThrowsAsync(entries.sync());
});
