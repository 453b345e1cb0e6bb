import { request } from 'node:http';
import { tmpdir } from 'node:os';

import test from 'ava';

import { folderFor } from '../support/folder.js';
import { processFor, ROOT } from '../support/process.js';

/** Whether anything listens there. */
function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    request(`http://${address}`)
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
      .on('response', () => resolve(true))
      .end();
  });
}

test('npm start, from another folder, says how to make a first volume; SIGTERM stops it in good order', async (t) => {
  const redis = process.env['CINDER_REDIS_SERVER'];
  const started = processFor(t, 'npm', ['--prefix', ROOT, 'start', '--', 'all', '--log-level', 'info'], {
    cwd: tmpdir(),
    env: {
      CINDER_DATA_DIR: await folderFor(t),
      CINDER_API_LISTEN: '127.0.0.1:0',
      CINDER_SCHEDULER_LISTEN: '127.0.0.1:0',
      CINDER_VOLUME_LISTEN: '127.0.0.1:0',
      CINDER_METRICS_LISTEN: '127.0.0.1:0',
      ...(redis === undefined ? {} : { CINDER_REDIS_SERVER: redis }),
    },
  });

  const [, address = ''] = await started.wrote(/cinder-grpc answers at (\S+)\. /, 60_000);
  t.true(await answers(address));
  t.regex(started.stdout(), /grpcurl -plaintext .* cinder\.api\.v3\.Volumes\/CreateVolume\n/);

  started.child.kill('SIGTERM');

  t.is(await started.ended(), 0, started.stderr());
  t.false(await answers(address));
  t.regex(started.stderr(), /"message":"stopping","signal":"SIGTERM"/);
});

test('npm start with an option that does not exist names it and ends', async (t) => {
  const started = processFor(t, 'npm', ['--prefix', ROOT, 'start', '--', '--quota-volume', '3']);

  t.is(await started.ended(), 2);
  t.regex(started.stderr(), /unknown option '--quota-volume'[^]*Did you mean --quota-volumes\?/);
});
