import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { QuotasService } from '#src/gen/cinder/api/v3/quotas.js';
import {
  AddVolumeTypeAccessRequest,
  CreateVolumeTypeRequest,
  DeleteVolumeTypeExtraSpecsRequest,
  DeleteVolumeTypeRequest,
  ListVolumeTypesRequest,
  RemoveVolumeTypeAccessRequest,
  SetVolumeTypeExtraSpecsRequest,
  UpdateVolumeTypeRequest,
  type VolumeType,
  VolumeTypesService,
} from '#src/gen/cinder/api/v3/volume_types.js';
import { CreateVolumeRequest, VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { ADMIN, answered, type Caller, callerFor, newProject, refused } from '../support/api.js';
import { sharedInstallation } from '../support/installation.js';
import type { Answer } from '../support/rpc.js';

const installation = sharedInstallation();

const types = VolumeTypesService;
const DEFAULT = '__DEFAULT__';
const newName = (): string => `type-${randomUUID().slice(0, 8)}`;
const pairs = (record: Readonly<Record<string, string>>) => new Map(Object.entries(record));

test('a type is made, found by id and by name, changed and deleted', async (t) => {
  const admin = adminOf(t);
  const extraSpecs = new Map([
    ['zeta', '1'],
    ['RESKEY:availability_zones', 'nova'],
    ['alpha beta', '<is> True'],
  ]);
  const name = newName();
  const made = await create(admin, { name: ` ${name} `, description: 'two\nlines', extraSpecs });
  t.like(made, { name, description: 'two\nlines', isPublic: true, qosSpecsId: undefined });
  t.deepEqual([...made.extraSpecs], [...extraSpecs], 'in their order');
  for (const volumeType of [made.id, name]) t.deepEqual(await get(admin, volumeType), made);

  const update = async (request: Partial<UpdateVolumeTypeRequest>): Promise<VolumeType> =>
    shown(await admin(types.updateVolumeType, UpdateVolumeTypeRequest.create({ volumeType: made.id, ...request })));
  const renamed = await update({ name: `${name}-b`, description: 'ignored', updateMask: ['name'] });
  t.deepEqual({ ...renamed, updatedAt: made.updatedAt }, { ...made, name: `${name}-b` });
  t.is((await update({ description: '' })).description, '');
  t.is((await update({ updateMask: ['description'] })).description, undefined);
  t.like(await update({ name, description: 'all', isPublic: false, updateMask: ['*'] }), {
    ...{ name, description: 'all', isPublic: false },
  });

  const specs = { volumeType: name, extraSpecs: pairs({ 'alpha beta': 'no', new: '' }) };
  const more = shown(await admin(types.setVolumeTypeExtraSpecs, SetVolumeTypeExtraSpecsRequest.create(specs)));
  t.deepEqual(
    [...more.extraSpecs].map((pair) => pair.join('=')),
    [...['zeta=1', 'RESKEY:availability_zones=nova', 'alpha beta=no', 'new=']],
  );
  const takeOut = (keys: string[]) =>
    admin(types.deleteVolumeTypeExtraSpecs, DeleteVolumeTypeExtraSpecsRequest.create({ volumeType: name, keys }));
  t.like(refused(await takeOut(['zeta', 'nope'])), {
    code: 'NOT_FOUND',
    reason: 'VOLUME_TYPE_EXTRA_SPECS_NOT_FOUND',
    facts: { volumeType: name, key: 'nope' },
  });
  t.deepEqual(
    [...shown(await takeOut(['zeta', 'new', 'zeta'])).extraSpecs.keys()],
    [...['RESKEY:availability_zones', 'alpha beta']],
  );

  answered(await admin(types.deleteVolumeType, DeleteVolumeTypeRequest.create({ volumeType: name })));
  for (const volumeType of [made.id, name]) {
    const refusal = refused(await admin(types.getVolumeType, { volumeType }));
    t.like(refusal, { code: 'NOT_FOUND', reason: 'VOLUME_TYPE_NOT_FOUND', facts: { volumeType } });
  }
});

test('a private type does not exist for a project until it may use it', async (t) => {
  const admin = adminOf(t);
  const project = newProject();
  const [user, other] = [callerFor(t, installation(), project), callerFor(t, installation())];
  const { id, name } = await create(admin, { isPublic: false });
  const exists = async (caller: Caller): Promise<readonly boolean[]> => {
    const one = await caller(types.getVolumeType, { volumeType: name });
    const made = await caller(VolumesService.createVolume, CreateVolumeRequest.create({ size: 1, volumeType: id }));
    for (const { error } of [one, made]) if (error) t.is(refused({ ...one, error }).reason, 'VOLUME_TYPE_NOT_FOUND');
    return [!one.error, !made.error, (await listed(caller)).includes(name)];
  };
  const access = { volumeType: name, projectId: project };
  t.deepEqual(await exists(user), [false, false, false]);
  t.deepEqual(await exists(admin), [true, true, true], 'administrators see and use all');

  const add = () => admin(types.addVolumeTypeAccess, AddVolumeTypeAccessRequest.create(access));
  answered(await add());
  t.like(refused(await add()), { code: 'ALREADY_EXISTS', reason: 'VOLUME_TYPE_ACCESS_EXISTS' });
  t.deepEqual(await exists(user), [true, true, true]);
  t.deepEqual(await exists(other), [false, false, false]);
  const list = { volumeType: id, pageSize: 0, pageToken: '' };
  t.deepEqual(answered(await admin(types.listVolumeTypeAccess, list)), { projectIds: [project], nextPageToken: '' });

  const remove = () => admin(types.removeVolumeTypeAccess, RemoveVolumeTypeAccessRequest.create(access));
  answered(await remove());
  t.like(refused(await remove()), { code: 'NOT_FOUND', reason: 'VOLUME_TYPE_ACCESS_NOT_FOUND' });
  t.deepEqual(await exists(user), [false, false, false]);

  for (const answer of [
    await admin(types.addVolumeTypeAccess, AddVolumeTypeAccessRequest.create({ ...access, volumeType: DEFAULT })),
    await admin(types.removeVolumeTypeAccess, RemoveVolumeTypeAccessRequest.create({ ...access, volumeType: DEFAULT })),
    await admin(types.listVolumeTypeAccess, { ...list, volumeType: DEFAULT }),
  ]) {
    t.like(refused(answer), { code: 'FAILED_PRECONDITION', reason: 'INVALID_VOLUME_TYPE' });
  }
});

test('users see of the extra specs what concerns them', async (t) => {
  const visible = { 'RESKEY:availability_zones': 'nova', multiattach: '<is> True', replication_enabled: '<is> False' };
  const { id, extraSpecs } = await create(adminOf(t), {
    extraSpecs: pairs({ volume_backend_name: 'secret-san', ...visible }),
  });
  t.is(extraSpecs.size, 4);
  const user = callerFor(t, installation());
  t.deepEqual((await get(user, id)).extraSpecs, pairs(visible));
  const { volumeTypes } = answered(
    await user(types.listVolumeTypes, ListVolumeTypesRequest.create({ pageSize: 1_000 })),
  );
  t.deepEqual(volumeTypes.find((type) => type.id === id)?.extraSpecs, pairs(visible));
});

test.serial('types are listed by name, a page at a time, with a token of the same list', async (t) => {
  const admin = adminOf(t);
  const long = '🙂'.repeat(250);
  const made = [await create(admin, { name: `${long}a` }), await create(admin, { name: `${long}b`, isPublic: false })];
  const all = await listed(admin, 1_000);
  t.deepEqual(await listed(admin, 1), all, 'one a page');
  t.deepEqual(
    all,
    [...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  t.true(made.every(({ name }) => all.includes(name)));
  t.false((await listed(admin, 3, true)).includes(`${long}b`));
  t.true((await listed(admin, 3, false)).includes(`${long}b`));

  const page = (request: Partial<ListVolumeTypesRequest>) =>
    admin(types.listVolumeTypes, ListVolumeTypesRequest.create(request));
  const { nextPageToken: pageToken } = answered(await page({ pageSize: 1 }));
  for (const bad of [{ pageToken: 'x' }, { pageToken, isPublic: true }, { pageToken: `${pageToken}A` }]) {
    t.deepEqual(refused(await page(bad)).fields, ['page_token']);
  }
  t.deepEqual(refused(await page({ pageSize: -1 })).fields, ['page_size']);
});

test('a name belongs to one live type', async (t) => {
  const admin = adminOf(t);
  const [a, b] = [await create(admin), await create(admin)];
  for (const answer of [
    await admin(types.createVolumeType, CreateVolumeTypeRequest.create({ name: a.name })),
    await admin(types.updateVolumeType, UpdateVolumeTypeRequest.create({ volumeType: b.id, name: a.name })),
  ]) {
    t.like(refused(answer), { code: 'ALREADY_EXISTS', reason: 'VOLUME_TYPE_EXISTS', facts: { name: a.name } });
  }
  answered(await admin(types.deleteVolumeType, DeleteVolumeTypeRequest.create({ volumeType: a.id })));
  await create(admin, { name: a.name });
});

test('a renamed type keeps its quota, and a deleted one takes it along', async (t) => {
  const admin = adminOf(t);
  const { id, name } = await create(admin);
  const projectId = newProject();
  answered(await admin(QuotasService.updateQuotaSet, { projectId, limits: new Map([[`volumes_${name}`, 3]]) }));
  const limits = async () =>
    answered(await admin(QuotasService.getQuotaSet, { projectId, usage: false })).quotaSet?.limits;
  const renamed = newName();
  answered(await admin(types.updateVolumeType, UpdateVolumeTypeRequest.create({ volumeType: name, name: renamed })));
  t.is((await limits())?.get(`volumes_${renamed}`), 3);
  t.false((await limits())?.has(`volumes_${name}`));
  answered(await admin(types.deleteVolumeType, DeleteVolumeTypeRequest.create({ volumeType: id })));
  t.false((await limits())?.has(`volumes_${renamed}`));
});

test('a default type, and a type that has volumes, cannot be deleted', async (t) => {
  const admin = adminOf(t);
  const client = installation().client(newProject());
  const { id, name } = await create(admin);
  const projectId = newProject();
  const deletion = async (volumeType: string) =>
    admin(types.deleteVolumeType, DeleteVolumeTypeRequest.create({ volumeType }));
  t.like(refused(await deletion(DEFAULT)), {
    code: 'FAILED_PRECONDITION',
    reason: 'VOLUME_TYPE_DEFAULT_DELETION_ERROR',
  });
  answered(await admin(types.setDefaultVolumeType, { projectId, volumeType: name }));
  t.is(refused(await deletion(id)).reason, 'VOLUME_TYPE_DEFAULT_DELETION_ERROR');
  for (let times = 0; times < 2; times++) answered(await admin(types.unsetDefaultVolumeType, { projectId }));

  const volume = await client.available((await client.create({ volumeType: name })).id);
  t.is(volume.volumeTypeId, id);
  t.like(refused(await deletion(id)), { code: 'FAILED_PRECONDITION', reason: 'VOLUME_TYPE_IN_USE' });
  await client.delete(volume.id);
  await client.gone(volume.id);
  answered(await deletion(id));
});

test('volumes that name no type get the project’s default, from the very next one on', async (t) => {
  const admin = adminOf(t);
  const project = newProject();
  const [user, other] = [callerFor(t, installation(), project), callerFor(t, installation())];
  const { id, name } = await create(admin, { isPublic: false });
  const typeOf = async (caller: Caller) =>
    answered(await caller(VolumesService.createVolume, CreateVolumeRequest.create({ size: 1 }))).volume?.volumeTypeId;
  const defaultOf = async (caller: Caller, projectId = '') =>
    answered(await caller(types.getDefaultVolumeType, { projectId })).volumeType?.name;
  const set = () => admin(types.setDefaultVolumeType, { projectId: project, volumeType: name });
  const configured = await typeOf(user);
  t.is(await defaultOf(user), DEFAULT);

  t.is(refused(await set()).reason, 'VOLUME_TYPE_NOT_FOUND', 'the project may not use it');
  const access = AddVolumeTypeAccessRequest.create({ volumeType: id, projectId: project });
  answered(await admin(types.addVolumeTypeAccess, access));
  t.is(shown(await set()).id, id);
  t.deepEqual([await typeOf(user), await defaultOf(user), await defaultOf(admin, project)], [id, name, name]);
  t.deepEqual([await typeOf(other), await defaultOf(other)], [configured, DEFAULT]);
  t.is(refused(await other(types.getDefaultVolumeType, { projectId: project })).code, 'PERMISSION_DENIED');

  answered(await admin(types.unsetDefaultVolumeType, { projectId: project }));
  t.deepEqual([await typeOf(user), await defaultOf(user)], [configured, DEFAULT]);
});

test('a change that is sent several times with one key is made once, and other parameters are refused', async (t) => {
  const admin = adminOf(t);
  const idempotencyKey = randomUUID();
  const thrice = async <A>(ask: () => Promise<A>): Promise<readonly A[]> => Promise.all([ask(), ask(), ask()]);
  const request = CreateVolumeTypeRequest.create({
    name: newName(),
    idempotencyKey,
    extraSpecs: pairs({ a: '1', b: '2' }),
  });
  const made = (await thrice(() => admin(types.createVolumeType, request))).map(shown);
  const ids = new Set(made.map(({ id }) => id));
  t.is(ids.size, 1);
  const swapped = { ...request, extraSpecs: pairs({ b: '2', a: '1' }) };
  t.true(ids.has(shown(await admin(types.createVolumeType, swapped)).id), 'a map has no order on the wire');
  const different = { ...request, isPublic: false };
  t.is(refused(await admin(types.createVolumeType, different)).reason, 'IDEMPOTENCY_KEY_REUSED');

  const { name: volumeType } = request;
  const projectId = newProject();
  const update = UpdateVolumeTypeRequest.create({ volumeType, isPublic: false, idempotencyKey });
  const keys = { volumeType, keys: ['a'], idempotencyKey };
  const access = { volumeType, projectId, idempotencyKey };
  const steps: readonly (() => Promise<{ readonly error?: unknown }>)[] = [
    () => admin(types.updateVolumeType, update),
    () => admin(types.deleteVolumeTypeExtraSpecs, keys),
    () => admin(types.addVolumeTypeAccess, access),
    () => admin(types.removeVolumeTypeAccess, access),
    () => admin(types.deleteVolumeType, { volumeType, idempotencyKey }),
  ];
  for (const step of steps) {
    t.deepEqual(
      (await thrice(step)).map(({ error }) => error),
      [undefined, undefined, undefined],
    );
  }
});

test('one answer names every bad field of a type', async (t) => {
  const admin = adminOf(t);
  const specs = pairs({
    '': 'v',
    'a/b': 'v',
    constructor: 'v',
    ok: 'x'.repeat(256),
    'provisioning:min_vol_size': '1.5',
  });
  specs.set('__proto__', 'v');
  const creation = { name: randomUUID(), description: 'd'.repeat(256), extraSpecs: specs, idempotencyKey: '' };
  t.deepEqual(refused(await admin(types.createVolumeType, CreateVolumeTypeRequest.create(creation))).fields, [
    ...['name', 'description', 'extra_specs[""]', 'extra_specs["a/b"]', 'extra_specs["constructor"]'],
    ...['extra_specs["ok"]', 'extra_specs["provisioning:min_vol_size"]', 'extra_specs["__proto__"]', 'idempotency_key'],
  ]);
  const uuidLike = [randomUUID().toUpperCase(), randomUUID().replaceAll('-', ''), `{${randomUUID()}}`];
  for (const name of ['', '  ', 'n'.repeat(256), 'a\u0000b', ...uuidLike]) {
    t.deepEqual(refused(await admin(types.createVolumeType, CreateVolumeTypeRequest.create({ name }))).fields, [
      'name',
    ]);
  }
  const many = pairs(Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`k${n}`, 'v'])));
  const tooMany = CreateVolumeTypeRequest.create({ name: newName(), extraSpecs: many });
  t.deepEqual(refused(await admin(types.createVolumeType, tooMany)).fields, ['extra_specs']);

  const update = async (request: Partial<UpdateVolumeTypeRequest>) =>
    refused(await admin(types.updateVolumeType, UpdateVolumeTypeRequest.create({ volumeType: 't', ...request })))
      .fields;
  t.deepEqual(await update({}), ['update_mask']);
  t.deepEqual(await update({ name: 'n', updateMask: ['name', 'id', 'extra_specs'] }), ['update_mask']);
  t.deepEqual(await update({ updateMask: ['name', 'is_public'] }), ['name', 'is_public']);
  t.deepEqual(await update({ volumeType: '', name: '', idempotencyKey: 'é' }), [
    'name',
    'volume_type',
    'idempotency_key',
  ]);

  const { id } = await create(admin, { extraSpecs: pairs({ first: '1' }) });
  const set = async (extraSpecs: Map<string, string>) =>
    refused(await admin(types.setVolumeTypeExtraSpecs, { volumeType: id, extraSpecs, idempotencyKey: undefined }))
      .fields;
  t.deepEqual(await set(new Map()), ['extra_specs']);
  many.delete('k0');
  t.deepEqual(await set(many), ['extra_specs'], 'one stays, 128 come');
  const keys = ['a/b', ''];
  const request = DeleteVolumeTypeExtraSpecsRequest.create({ volumeType: '', keys });
  t.deepEqual(refused(await admin(types.deleteVolumeTypeExtraSpecs, request)).fields, [
    ...['keys[0]', 'keys[1]', 'volume_type'],
  ]);
  const access = { volumeType: '', projectId: 'a}b', idempotencyKey: undefined };
  t.deepEqual(refused(await admin(types.addVolumeTypeAccess, access)).fields, ['project_id', 'volume_type']);
  t.deepEqual(refused(await admin(types.setDefaultVolumeType, { volumeType: '', projectId: '' })).fields, [
    ...['project_id', 'volume_type'],
  ]);
});

function adminOf(t: ExecutionContext): Caller {
  const call = callerFor(t, installation());
  return (method, request) => call(method, request, ADMIN);
}

async function create(caller: Caller, request: Partial<CreateVolumeTypeRequest> = {}): Promise<VolumeType> {
  return shown(await caller(types.createVolumeType, CreateVolumeTypeRequest.create({ name: newName(), ...request })));
}

async function get(caller: Caller, volumeType: string): Promise<VolumeType> {
  return shown(await caller(types.getVolumeType, { volumeType }));
}

function shown(answer: Answer<{ readonly volumeType?: VolumeType | undefined }>): VolumeType {
  const { volumeType } = answered(answer);
  if (!volumeType) throw new Error('the answer has no type');
  return volumeType;
}

/** Names of all types that a caller sees, page by page. */
async function listed(caller: Caller, pageSize = 1_000, isPublic?: boolean): Promise<readonly string[]> {
  const names: string[] = [];
  let pageToken = '';
  do {
    const request = ListVolumeTypesRequest.create({ pageSize, pageToken, isPublic });
    const { volumeTypes, nextPageToken } = answered(await caller(types.listVolumeTypes, request));
    names.push(...volumeTypes.map(({ name }) => name));
    pageToken = nextPageToken;
  } while (pageToken !== '');
  return names;
}
