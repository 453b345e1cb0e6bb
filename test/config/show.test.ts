import test from 'ava';

import { loadConfig } from '#src/config/load.js';
import { redact } from '#src/config/show.js';

function shown(environment: Record<string, string>): Map<string, { value: string; source: string }> {
  const rows = redact(loadConfig({ hostname: 'h', home: '/home/x', environment }));
  return new Map(rows.map(({ name, value, source }) => [name, { value, source }]));
}

test('secrets are masked wherever they stand, and what is not secret stays', (t) => {
  const environment = {
    CINDER_REDIS_URL: 'rediss://redis.example:6379/1',
    CINDER_DATABASE_URL: 'postgres://cinder:hunter2@db.example/cinder?sslpassword=hunter2&sslmode=require',
    CINDER_INTERNAL_RPC_SECRET: 'hunter2hunter2:hunter2', // which is a URL, too
    CINDER_REDIS_PASSWORD: 'redis://hunter2',
  };
  const rows = shown(environment);

  t.false(JSON.stringify([...rows]).includes('hunter2'));
  t.is(rows.get('redis_url')?.value, 'rediss://redis.example:6379/1');
  t.is(rows.get('database_url')?.value, 'postgres://cinder:***@db.example/cinder?sslpassword=***&sslmode=require');
  t.is(rows.get('internal_rpc_secret')?.value, '***');
});

test('a URL keeps all but its password', (t) => {
  const rows = shown({ CINDER_REDIS_URL: 'redis://user:hunter2@redis.example:6379/1' });
  t.is(rows.get('redis_url')?.value, 'redis://user:***@redis.example:6379/1');
});

test('a secret that is not set is shown as unset, not as masked', (t) => {
  t.is(shown({}).get('internal_rpc_secret')?.value, '');
  t.is(shown({}).get('database_url')?.value, 'sqlite:/home/x/.local/state/cinder-grpc/cinder.db');
});

test('each option of a backend comes with its own source', (t) => {
  const rows = shown({
    CINDER_BACKENDS_FILE_PATH: '/mnt/ssd',
    CINDER_BACKENDS_FILE_GOODNESS_FUNCTION: '100',
    CINDER_RESERVED_PERCENTAGE: '5',
  });

  t.deepEqual(
    [...rows].filter(([name]) => name.startsWith('backends.')),
    [
      ['backends.file.driver', { value: 'file', source: 'default' }],
      ['backends.file.path', { value: '/mnt/ssd', source: 'environment CINDER_BACKENDS_FILE_PATH' }],
      ['backends.file.volume_backend_name', { value: 'file', source: 'default' }],
      ['backends.file.availability_zone', { value: 'nova', source: 'default' }],
      ['backends.file.filter_function', { value: '', source: 'default' }],
      [
        'backends.file.goodness_function',
        { value: '100', source: 'environment CINDER_BACKENDS_FILE_GOODNESS_FUNCTION' },
      ],
      [
        'backends.file.pools',
        {
          value: '[{"name":"pool","reserved_percentage":5,"max_over_subscription_ratio":"20.0"}]',
          source: 'default',
        },
      ],
    ],
  );
});

test('every value comes with its source, times in seconds as they are written', (t) => {
  const rows = shown({ CINDER_REPORT_INTERVAL: '5' });

  t.deepEqual(rows.get('report_interval'), { value: '5', source: 'environment CINDER_REPORT_INTERVAL' });
  t.deepEqual(rows.get('service_down_time'), { value: '60', source: 'default' });
});
