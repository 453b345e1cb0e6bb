import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { loadPackageDefinition, ChannelCredentials, Metadata, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import test, { type ExecutionContext } from 'ava';
import { cacheFolder } from '#scripts/cache.mjs';
import { newProject } from '../support/api.js';
import { folderFor } from '../support/folder.js';
import { installationFor, sharedInstallation } from '../support/installation.js';
import { findTool, processFor, ROOT, type TestProcess } from '../support/process.js';

const installation = sharedInstallation();

const EXAMPLES = join(ROOT, 'examples');
const GRPCURL = findTool('grpcurl');
const PYTHON = join(cacheFolder(process.env), 'python/bin/python3');

test('the example in TypeScript says what it is said to say', async (t) => {
  const said = await run(t, process.execPath, [join(ROOT, 'build/examples/typescript/volumes.js')]);
  t.is(said, expected('typescript/expected.txt'));
});

const pythonTest = existsSync(PYTHON) ? test : test.skip;
pythonTest('the example in Python says what it is said to say', async (t) => {
  const stubs = await folderFor(t);
  const generator = processFor(t, join(EXAMPLES, 'python/generate.sh'), [stubs], { env: { PYTHON } });
  t.is(await generator.ended(), 0, generator.stderr());
  const said = await run(t, PYTHON, [join(EXAMPLES, 'python/volumes.py')], { PYTHONPATH: stubs });
  t.is(said, expected('python/expected.txt'));
});

const grpcurlTest = GRPCURL === undefined ? test.skip : test;
grpcurlTest('the example with grpcurl says what it is said to say', async (t) => {
  const said = await run(t, join(EXAMPLES, 'grpcurl.sh'), [], pathWith(dirname(GRPCURL ?? '')));
  t.is(said, expected('grpcurl.expected.txt'));
});

grpcurlTest('the session with schedulers of two versions says what it is said to say', async (t) => {
  const old = await installationFor(t, { CINDER_RPC_VERSION: 'cinder-scheduler=3.9' });
  const addresses = await Promise.all([installation(), old].map(({ process }) => schedulerOf(process)));
  const example = processFor(t, join(EXAMPLES, 'versions.sh'), addresses, { env: pathWith(dirname(GRPCURL ?? '')) });
  t.is(await example.ended(), 0, example.stdout() + example.stderr());
  t.is(example.stderr(), '');
  t.is(example.stdout(), expected('versions.expected.txt'));
});

test('the example with buf curl says what it is said to say', async (t) => {
  const said = await run(t, join(EXAMPLES, 'buf-curl.sh'), [], pathWith(join(ROOT, 'node_modules/.bin')));
  t.is(said, expected('buf-curl.expected.txt'));
});

test('a client that is made at run time from the packaged protos and service config makes and reads a volume', async (t) => {
  const { resolve } = createRequire(import.meta.url);
  const loaded = loadSync(resolve('cinder-grpc/proto/cinder/api/v3/volumes.proto'), {
    includeDirs: ['proto', 'third_party/proto'].map((folder) => join(ROOT, folder)),
    ...{ keepCase: true, longs: String, enums: String },
  });
  const { cinder } = loadPackageDefinition(loaded) as unknown as Loaded; // its type knows packages only by index
  const client = new cinder.api.v3.Volumes(installation().address, ChannelCredentials.createInsecure(), {
    'grpc.service_config': readFileSync(resolve('cinder-grpc/proto/service_config.json'), 'utf8'),
  });
  t.teardown(() => client.close());
  const metadata = new Metadata();
  metadata.set('x-project-id', newProject());
  const call = (method: string, request: object): Promise<Answered> =>
    new Promise((settle, reject) => {
      const make = client[method] as (...args: unknown[]) => void;
      make.call(client, request, metadata, (error: Error | null, answer: Answered) =>
        error ? reject(error) : settle(answer),
      );
    });
  const { volume } = await call('CreateVolume', { size: 2, name: 'Größe' });
  t.like(volume, { size: 2, name: 'Größe', status: 'VOLUME_STATUS_CREATING', revision: '1' });
  t.is((await call('GetVolume', { volume_id: volume?.['id'] })).volume?.['name'], 'Größe');
});

/** What an example says to its user, in a project of its own; ids and the tools' own white space do not count. */
async function run(
  t: ExecutionContext,
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<string> {
  const env = { ...environment, CINDER_PROJECT_ID: newProject() };
  const example = processFor(t, program, [...args, installation().address], { env });
  t.is(await example.ended(), 0, example.stdout() + example.stderr());
  t.is(example.stderr(), '');
  return example
    .stdout()
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
    .replace(/(?<=\S)[ \t]+/g, ' ');
}

/** Where the internal RPC of an installation's scheduler listens. */
async function schedulerOf(installed: TestProcess): Promise<string> {
  return (await installed.wrote(/"service":"scheduler","address":"([\d.:]+)"/))[1] ?? '';
}

function expected(file: string): string {
  return readFileSync(join(EXAMPLES, file), 'utf8');
}

function pathWith(folder: string): NodeJS.ProcessEnv {
  return { PATH: [folder, process.env['PATH']].join(delimiter) };
}

interface Loaded {
  readonly cinder: { readonly api: { readonly v3: { readonly Volumes: ServiceClientConstructor } } };
}

interface Answered {
  readonly volume?: Readonly<Record<string, unknown>>;
}
