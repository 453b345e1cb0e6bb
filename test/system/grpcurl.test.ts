import test, { type ExecutionContext } from 'ava';
import { newProject } from '../support/api.js';
import { sharedInstallation } from '../support/installation.js';
import { CLI, findTool, processFor } from '../support/process.js';

const installation = sharedInstallation({ CINDER_QUOTA_VOLUMES: '1' });

const GRPCURL = findTool('grpcurl');
const grpcurlTest = GRPCURL === undefined ? test.skip : test;

grpcurlTest('grpcurl lists and describes the services by reflection', async (t) => {
  const services = (await grpcurl(t, ['list'])).stdout.trim().split('\n');
  for (const name of ['Messages', 'Pools', 'Quotas', 'Services', 'Volumes']) {
    t.true(services.includes(`cinder.api.v3.${name}`), services.join(' '));
  }
  t.true(services.includes('grpc.health.v1.Health'));
  t.deepEqual(
    services.filter((name) => /scheduler|volume\.v3|rpc\.v1/.test(name)),
    [],
    'nothing internal',
  );
  t.regex((await grpcurl(t, ['list', 'cinder.api.v3.Volumes'])).stdout, /^cinder\.api\.v3\.Volumes\.CreateVolume$/m);
  const { stdout } = await grpcurl(t, ['describe', 'cinder.api.v3.CreateVolumeRequest']);
  t.regex(stdout, /optional int32 size = 1;/);
});

grpcurlTest('grpcurl makes, gets and lists a volume', async (t) => {
  const headers = ['-H', `x-project-id: ${newProject()}`];
  const call = async (method: string, request: object, flags: string[] = []): Promise<Answered> =>
    JSON.parse(
      (await grpcurl(t, [...headers, ...flags, '-d', JSON.stringify(request)], `cinder.api.v3.Volumes/${method}`))
        .stdout,
    ) as Answered;
  const { volume } = await call('CreateVolume', { size: 1, name: 'first', metadata: { a: 'b' } });
  t.like(volume, { name: 'first', size: 1, status: 'VOLUME_STATUS_CREATING', metadata: { a: 'b' } });
  const got = await call('GetVolume', { volume_id: volume?.['id'] });
  t.is(got.volume?.['id'], volume?.['id']);
  t.deepEqual(
    (await call('ListVolumes', {})).volumes?.map(({ id }) => id),
    [volume?.['id']],
  );
});

grpcurlTest('grpcurl prints the details of an error: none is of a type that it does not know', async (t) => {
  const headers = ['-H', `x-project-id: ${newProject()}`];
  const create = async (request: object): Promise<string> => {
    const args = [...headers, '-d', JSON.stringify(request)];
    const { code, stderr } = await grpcurl(t, args, 'cinder.api.v3.Volumes/CreateVolume');
    t.not(code, 0);
    t.notRegex(stderr, /not (linked|found)|unknown type|unable to resolve/i);
    return stderr;
  };
  const bad = await create({ size: -1, metadata: { ['__proto__']: 'x' }, name: 'a\u0007' });
  t.regex(bad, /Code: InvalidArgument/);
  for (const part of ['google.rpc.ErrorInfo', '"INVALID_INPUT"', 'google.rpc.BadRequest', '"size"', '"name"']) {
    t.true(bad.includes(part), `${part} in ${bad}`);
  }
  await grpcurl(t, [...headers, '-d', '{"size": 1}'], 'cinder.api.v3.Volumes/CreateVolume');
  const over = await create({ size: 1 });
  for (const part of ['Code: ResourceExhausted', 'google.rpc.QuotaFailure', 'limit 1, in use 1, reserved 0, asked 1']) {
    t.true(over.includes(part), `${part} in ${over}`);
  }
});

grpcurlTest('grpcurl gets the health of the whole and of each service', async (t) => {
  for (const service of ['', 'cinder.api.v3.Volumes', 'cinder.api.v3.Quotas']) {
    const { stdout } = await grpcurl(t, ['-d', JSON.stringify({ service })], 'grpc.health.v1.Health/Check');
    t.deepEqual(JSON.parse(stdout), { status: 'SERVING' });
  }
  const unknown = await grpcurl(t, ['-d', '{"service": "x"}'], 'grpc.health.v1.Health/Check');
  t.regex(unknown.stderr, /Code: NotFound/);
});

test('the command line makes, lists, shows and deletes a volume', async (t) => {
  const project = newProject();
  const volume = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(t, process.execPath, [
      ...[CLI, '--api', installation().address, '--project', project, 'volume', ...args],
    ]);
    t.is(code, 0, stderr);
    return stdout;
  };
  const id = (
    await volume('create', '--size', '1', '--property', 'a=b', '--wait', 'first', '-f', 'value', '-c', 'id')
  ).trim();
  t.regex(id, /^[0-9a-f-]{36}$/);
  t.is(await volume('list', '-f', 'value', '-c', 'ID', '-c', 'Status'), `${id} available\n`);
  const shown = JSON.parse(await volume('show', id, '-f', 'json')) as Record<string, unknown>;
  t.like(shown, { id, name: 'first', size: 1, status: 'available' });
  await volume('delete', '--wait', id);
  t.is(await volume('list', '-f', 'value', '-c', 'ID'), '');

  const refused = await run(t, process.execPath, [
    ...[CLI, '--api', installation().address, '--project', project, 'volume', 'show', id],
  ]);
  t.is(refused.code, 1);
  t.regex(refused.stderr, new RegExp(`^Volume ${id} could not be found\\.\n\\(VOLUME_NOT_FOUND, request req-`));
});

interface Answered {
  readonly volume?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
}

interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(t: ExecutionContext, program: string, args: readonly string[]): Promise<Ended> {
  const process_ = processFor(t, program, args);
  return { code: await process_.ended(), stdout: process_.stdout(), stderr: process_.stderr() };
}

/** Without a method the flags name what to do, behind the address. */
function grpcurl(t: ExecutionContext, args: readonly string[], method?: string): Promise<Ended> {
  const { address } = installation();
  const all = method === undefined ? ['-plaintext', address, ...args] : ['-plaintext', ...args, address, method];
  return run(t, GRPCURL ?? '', all);
}
