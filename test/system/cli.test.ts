import test from 'ava';

import { newProject } from '../support/api.js';
import { cli, type CliResult } from '../support/cli.js';
import { sharedInstallation, until } from '../support/installation.js';
import { CLI, processFor } from '../support/process.js';

const installation = sharedInstallation();

/** Runs commands in this process, as one project. Throws when one does not end with 0. */
function commandLine(project = newProject(), roles = 'member'): (line: string) => Promise<string> {
  return async (line) => {
    const { code, stdout, stderr } = await attempt(line, project, roles);
    if (code !== 0) throw new Error(`${line} ended with ${code}: ${stderr}`);
    return stdout;
  };
}

function attempt(line: string, project: string, roles = 'member'): Promise<CliResult> {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = '']) => quoted ?? plain);
  return cli(words, {
    environment: { CINDER_API: installation().address, CINDER_PROJECT_ID: project, CINDER_ROLES: roles },
  });
}

/** Ids are others each time. */
function normal(text: string): string {
  return text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, NO_ID);
}

const NO_ID = '00000000-0000-0000-0000-000000000000';

test('the life of a volume, as processes: made, listed, changed, shown by name, deleted', async (t) => {
  const project = newProject();
  const run = async (...args: string[]): Promise<CliResult> => {
    const env = { CINDER_API: installation().address, CINDER_PROJECT_ID: project };
    const process_ = processFor(t, process.execPath, [CLI, ...args], { env });
    return { code: Number(await process_.ended()), stdout: process_.stdout(), stderr: process_.stderr() };
  };

  const made = await run(
    ...['volume', 'create', '--size', '1', '--description', 'of a test', '--property', 'env=test', '--wait', 'first'],
    ...['-f', 'value', '-c', 'name', '-c', 'size', '-c', 'status', '-c', 'properties', '-c', 'type'],
  );
  t.deepEqual([made.code, made.stdout], [0, "first\n1\navailable\nenv='test'\n__DEFAULT__\n"], made.stderr);
  t.regex(made.stderr, /^[0-9a-f-]{36}: creating\n/, 'progress goes to stderr');

  const listed = await run('volume', 'list', '--long');
  t.is(
    normal(listed.stdout),
    [
      '+--------------------------------------+-------+-----------+------+-------------+----------+-------------+------------+',
      '| ID                                   | Name  | Status    | Size | Type        | Bootable | Attached to | Properties |',
      '+--------------------------------------+-------+-----------+------+-------------+----------+-------------+------------+',
      `| ${NO_ID} | first | available | 1    | __DEFAULT__ | false    |             | env='test' |`,
      '+--------------------------------------+-------+-----------+------+-------------+----------+-------------+------------+',
      '',
    ].join('\n'),
  );

  t.is((await run('volume', 'set', '--name', 'second', '--property', 'owner=ann', '--bootable', 'first')).code, 0);
  t.is((await run('volume', 'unset', '--property', 'env', 'second')).code, 0);
  const shown = await run('volume', 'show', 'second', '-f', 'json', '-c', 'name', '-c', 'bootable', '-c', 'properties');
  t.deepEqual(JSON.parse(shown.stdout), { name: 'second', bootable: true, properties: { owner: 'ann' } });

  const deleted = await run('volume', 'delete', '--wait', 'second');
  t.deepEqual([deleted.code, deleted.stdout], [0, '']);
  t.is((await run('volume', 'list', '-f', 'value')).stdout, '');
  const gone = await run('volume', 'show', 'second');
  t.deepEqual([gone.code, gone.stderr], [1, "There is no volume with the name or id 'second'.\n"]);
});

test('a list is filtered, sorted and limited, and counted by summary', async (t) => {
  const run = commandLine();
  await run('volume create --size 1 --property env=test -f value -c id a');
  await run('volume create --size 3 --property env=prod -f value -c id b');
  await run('volume create --size 2 --property env=test --wait -f value -c id c');

  t.is(await run('volume list --sort size:desc -f value -c Name'), 'b\nc\na\n');
  t.is(await run('volume list --sort name:asc --limit 2 -f value -c Name'), 'a\nb\n');
  t.is(await run('volume list --property env=test --sort name:asc -f value -c Name'), 'a\nc\n');
  t.is(await run('volume list --name b -f value -c Size'), '3\n');
  t.is(await run('volume list --status error -f value'), '');
  t.is(await run('volume list --created-since 2000-01-01 --created-before 2001-01-01 -f value'), '');
  t.deepEqual(JSON.parse(await run('volume summary -f json')), {
    'Total Count': 3,
    'Total Size': 6,
    Metadata: { env: ['prod', 'test'] },
  });
});

test('a clone is made from a volume by its name', async (t) => {
  const run = commandLine();
  const source = await run('volume create --size 1 --wait -f value -c id original');

  t.is(
    await run('volume create --source original --wait -f value -c source_volid -c status copy'),
    `${source}available\n`,
  );
});

test('the life of a volume type: private, lent to a project, a default, and gone', async (t) => {
  const admin = commandLine(newProject(), 'admin');
  const project = newProject();
  const member = commandLine(project);
  const name = `type-${project}`;
  const typesOf = async (run: typeof member): Promise<boolean> =>
    (await run('volume type list -f value -c Name')).split('\n').includes(name);

  await admin(`volume type create --private --property volume_backend_name=file --description lent ${name}`);
  t.false(await typesOf(member));

  await admin(`volume type set --project ${project} --property a=1 ${name}`);
  t.true(await typesOf(member));
  await admin(`volume type unset --property a ${name}`);
  t.deepEqual(JSON.parse(await admin(`volume type show ${name} -f json -c access_project_ids -c properties`)), {
    access_project_ids: [project],
    properties: { volume_backend_name: 'file' },
  });

  await admin(`volume type default set ${name} ${project}`);
  t.is(await member('volume type list --default -f value -c Name'), `${name}\n`);
  t.is(await member('volume create --size 1 --wait -f value -c type -c status typed'), `${name}\navailable\n`);
  const used = await attempt(`volume type delete ${name}`, newProject(), 'admin');
  t.is(used.code, 1);
  t.regex(used.stderr, /\(VOLUME_TYPE_\w+, request req-/);

  await member('volume delete --wait typed');
  await admin(`volume type default unset ${project}`);
  await admin(`volume type unset --project ${project} ${name}`);
  t.false(await typesOf(member));
  await admin(`volume type delete ${name}`);
  t.false(await typesOf(admin));
});

test('a volume that no backend can take fails its --wait, and a message says why', async (t) => {
  const project = newProject();
  const run = commandLine(project);
  await commandLine(newProject(), 'admin')(`quota set --gigabytes -1 ${project}`);

  const { code, stdout, stderr } = await attempt(
    'volume create --size 9000000 --wait -f value -c id -c status huge',
    project,
  );

  const [id = '', status] = stdout.split('\n');
  t.deepEqual([code, status], [1, 'error']);
  t.regex(stderr, new RegExp(`Volume ${id} is in status error: .*\n.*message list --resource ${id}`));
  const [messageId = '', ...words] = (
    await run(`message list --resource ${id} -f value -c ID -c 'User Message'`)
  ).split(' ');
  t.regex(words.join(' '), /No valid backend|backend/i);
  t.is(await run(`message show ${messageId} -f value -c resource_uuid`), `${id}\n`);
  await run(`message delete ${messageId}`);
  t.is(await run('message list -f value'), '');
});

test('services, pools, zones and quota are there for those who may see them', async (t) => {
  const project = newProject();
  const admin = commandLine(newProject(), 'admin');
  const member = commandLine(project);

  t.is(
    await admin('service list -f value -c Binary -c Host -c Status -c State'),
    'cinder-scheduler node1 enabled up\ncinder-volume node1@file enabled up\n',
  );
  t.is(await admin('pool list -f value'), 'node1@file#pool\n');
  t.regex(await admin('pool list --detail -f value -c Protocol -c Capacity'), /^file [\d.]+\n$/);
  t.is(await member('availability zone list -f value'), 'nova available\n');

  await admin(`quota set --volumes 1 ${project}`);
  await member('volume create --size 1 -f value -c id only');
  t.regex(await member('quota show --usage -f value'), /^volumes 1 1 0$/m);
  const over = await attempt('volume create --size 1 another', project);
  t.deepEqual([over.code, over.stdout], [1, '']);
  t.regex(over.stderr, /\(VOLUME_LIMIT_EXCEEDED, request req-[0-9a-f-]{36}\)\n$/);

  const refused = await attempt('service list', project);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /PERMISSION_DENIED|POLICY_NOT_AUTHORIZED/);
});

test.serial('a service is disabled with a reason, and enabled again', async (t) => {
  const admin = commandLine(newProject(), 'admin');
  const list = "service list --service cinder-volume -f value -c Status -c 'Disabled Reason'";

  await admin("service set --disable --disable-reason 'new disks' node1@file cinder-volume");
  t.is(await admin(list), 'disabled new disks\n');
  await admin('service set --enable node1@file cinder-volume');
  t.is(await admin(list), 'enabled \n');
  // schedulers see it within a second; the tests after this one need its pool
  await until(async () => ((await admin('pool list -f value')) === '' ? undefined : true), 'the pool to be back');
});

test('bad input is told by the options that were typed', async (t) => {
  const { code, stderr } = await attempt(`volume create --size 0 --property '${'k'.repeat(256)}=x' bad`, newProject());

  t.is(code, 1);
  t.regex(stderr, /^Invalid input\.\n {2}--size: [^\n]+\n {2}--property k+: [^\n]+\n/m);
});

test('who says nothing of the caller is told what to say', async (t) => {
  const { code, stderr } = await cli(['--api', installation().address, 'volume', 'list']);

  t.is(code, 1);
  t.regex(stderr, /x-project-id[^]*--project or CINDER_PROJECT_ID/);
});

test('deleting several tries all, and fails for the one that is not there', async (t) => {
  const project = newProject();
  const run = commandLine(project);
  await run('volume create --size 1 --wait -f value -c id one');
  await run('volume create --size 1 --wait -f value -c id two');

  const { code, stderr } = await attempt('volume delete --wait one nobody two', project);

  t.is(code, 1);
  t.regex(
    stderr,
    /\nnobody: There is no volume with the name or id 'nobody'\.\n1 of 3 volumes could not be deleted\.\n$/,
  );
  t.is(await run('volume list -f value'), '');
});
