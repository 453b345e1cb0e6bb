import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';

import test from 'ava';

import type { CliParts } from '#src/cli/parts.js';
import type { Config } from '#src/config/schema.js';
import { cli } from '../support/cli.js';

interface Served {
  readonly serve: CliParts['serve'];
  readonly calls: { readonly config: Config; readonly services: readonly string[] }[];
  stops: number;
  reloads: number;
}

function fakeServices(onStart: () => void): Served {
  const served: Served = {
    calls: [],
    stops: 0,
    reloads: 0,
    async serve(config, services) {
      served.calls.push({ config, services });
      setImmediate(onStart);
      return {
        addresses: services.includes('api') ? { api: '127.0.0.1:4242' } : {},
        async reload() {
          served.reloads++;
        },
        async stop() {
          served.stops++;
        },
      };
    },
  };
  return served;
}

test('serve runs all services, prints two commands for a first volume, and stops at SIGTERM', async (t) => {
  const signals = new EventEmitter();
  const served = fakeServices(() => signals.emit('SIGTERM'));

  const { code, stdout, stderr } = await cli(['serve', '--quota-volumes', '3', '--log-format', 'json'], {
    signals,
    ...served,
  });

  t.is(code, 0);
  t.deepEqual(served.calls[0]?.services, ['api', 'scheduler', 'volume']);
  t.is(served.calls[0]?.config.quotaVolumes, 3);
  t.is(served.stops, 1);
  t.regex(
    stdout,
    /\n {2}grpcurl -plaintext -H 'x-project-id: demo' -d '\{"size": 1, "name": "first"\}' 127\.0\.0\.1:4242 cinder\.api\.v3\.Volumes\/CreateVolume\n/,
  );
  t.regex(
    stdout,
    /\n {2}node \S*main\.js --api 127\.0\.0\.1:4242 --project demo volume create --size 1 --wait first\n$/,
  );
  t.deepEqual(
    stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { message: string }).message),
    ['stopping'],
  );
});

test('serve runs one service, and promises no API where there is none', async (t) => {
  const signals = new EventEmitter();
  const served = fakeServices(() => signals.emit('SIGINT'));

  const { code, stdout } = await cli(['serve', 'volume'], { signals, ...served });

  t.is(code, 0);
  t.deepEqual(served.calls[0]?.services, ['volume']);
  t.is(stdout, '');
});

test('serve runs several services, each once, in the order that they need', async (t) => {
  const signals = new EventEmitter();
  const served = fakeServices(() => signals.emit('SIGTERM'));

  await cli(['serve', 'scheduler', 'api', 'scheduler'], { signals, ...served });

  t.deepEqual(served.calls[0]?.services, ['api', 'scheduler']);
});

test('a signal during the start is not lost', async (t) => {
  const signals = new EventEmitter();
  const served = fakeServices(() => undefined);

  const { code } = await cli(['serve'], {
    signals,
    serve(...given) {
      signals.emit('SIGTERM');
      return served.serve(...given);
    },
  });

  t.is(code, 0);
  t.is(served.stops, 1);
});

test('SIGHUP reloads and does not stop; one that comes during the start is not lost', async (t) => {
  const signals = new EventEmitter();
  const served = fakeServices(() => {
    signals.emit('SIGHUP');
    signals.emit('SIGTERM');
  });

  const { code } = await cli(['serve'], {
    signals,
    serve(...given) {
      signals.emit('SIGHUP');
      return served.serve(...given);
    },
  });

  t.is(code, 0);
  t.is(served.reloads, 2);
  t.is(served.stops, 1);
});

test('SIGHUP of a terminal that has gone ends the services in good order', async (t) => {
  const signals = new EventEmitter();
  const served = fakeServices(() => signals.emit('SIGHUP'));

  const { code } = await cli(['serve'], {
    signals,
    stderr: Object.assign(new PassThrough(), { isTTY: true }),
    ...served,
  });

  t.is(code, 0);
  t.is(served.reloads, 0);
  t.is(served.stops, 1);
});

test('a second signal ends the process at once', async (t) => {
  const signals = new EventEmitter();
  const codes: number[] = [];

  const { code } = await cli(['serve'], {
    signals,
    exit: (status) => codes.push(status),
    serve: async () => {
      setImmediate(() => signals.emit('SIGTERM'));
      return {
        addresses: {},
        reload: () => Promise.resolve(),
        async stop() {
          signals.emit('SIGINT');
        },
      };
    },
  });

  t.is(code, 0);
  t.deepEqual(codes, [130]);
});

test('a warning of the configuration is logged', async (t) => {
  const signals = new EventEmitter();
  const { stderr } = await cli(['serve', '--service-down-time', '5', '--log-format', 'json'], {
    signals,
    ...fakeServices(() => signals.emit('SIGTERM')),
  });

  t.regex(stderr, /"level":"warn","message":"service_down_time must be longer/);
});

test('services that cannot start end the command with the reason', async (t) => {
  const { code, stderr } = await cli(['serve'], { serve: () => Promise.reject(new Error('127.0.0.1:8776 is taken')) });

  t.is(code, 1);
  t.is(stderr, '127.0.0.1:8776 is taken\n');
});

test('a configuration that is not usable is told before anything starts', async (t) => {
  const served = fakeServices(() => undefined);

  const { code, stderr } = await cli(['serve', '--api-listen', '0.0.0.0:1'], {
    ...served,
    environment: { CINDER_QUOTA_VOLUME: '1' },
  });

  t.deepEqual(served.calls, []);

  t.is(code, 1);
  t.regex(stderr, /CINDER_QUOTA_VOLUME is unknown; did you mean CINDER_QUOTA_VOLUMES\?/);
});

test('db migrate takes the database of the configuration and says what it did', async (t) => {
  const urls: string[] = [];
  const migrate = async (url: string): Promise<{ from: number; to: number }> => {
    urls.push(url);
    return { from: urls.length - 1, to: 1 };
  };

  const first = await cli(['db', 'migrate', '--database-url', 'sqlite:/x/y.db'], { migrate });
  const second = await cli(['db', 'migrate'], { migrate, environment: { CINDER_DATABASE_URL: 'postgres://db/x' } });

  t.deepEqual(urls, ['sqlite:/x/y.db', 'postgres://db/x']);
  t.is(first.stdout, 'Migrated from version 0 to 1.\n');
  t.is(second.stdout, 'The schema is at version 1 already.\n');
});

test('config show prints each option with its source, secrets masked', async (t) => {
  const { code, stdout } = await cli(['config', 'show', '-f', 'json', '--quota-volumes', '7'], {
    environment: { CINDER_REDIS_URL: 'redis://:hunter2@r:1' },
  });

  t.is(code, 0);
  const rows = JSON.parse(stdout) as { Option: string; Value: string; Source: string }[];
  t.deepEqual(
    rows.find(({ Option }) => Option === 'quota_volumes'),
    { Option: 'quota_volumes', Value: '7', Source: 'flag' },
  );
  t.false(stdout.includes('hunter2'));
});

test('help shows commands, examples and every option of the configuration, and is no error', async (t) => {
  const root = await cli(['--help']);
  const serve = await cli(['serve', '--help']);

  t.is(root.code, 0);
  t.regex(root.stdout, /Commands:[^]*serve[^]*volume[^]*Examples:/);
  t.is(serve.code, 0);
  t.regex(serve.stdout, /--reservation-expire <value>/);
  t.regex(serve.stdout, /--max-internal-message-bytes <value>/);
});
