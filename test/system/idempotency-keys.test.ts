import { randomUUID } from 'node:crypto';
import { MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt';
import test, { type ExecutionContext } from 'ava';
import { ListMessagesRequest, MessagesService } from '#src/gen/cinder/api/v3/messages.js';
import {
  AddVolumeTypeAccessRequest,
  CreateVolumeTypeRequest,
  VolumeTypesService,
} from '#src/gen/cinder/api/v3/volume_types.js';
import { QuotasService, UpdateQuotaSetRequest } from '#src/gen/cinder/api/v3/quotas.js';
import { CreateVolumeRequest, VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { ADMIN, answered, type Caller, callerFor, newProject, refused } from '../support/api.js';
import { sharedInstallation, until } from '../support/installation.js';
import { descriptors } from '../support/rpc.js';
import { ASKS, newTypeName, type Things, TOO_LARGE_GIB } from './personas/requests.js';

const installation = sharedInstallation({ CINDER_QUOTA_VOLUMES: '-1', CINDER_QUOTA_GIGABYTES: '-1' });

/** RPCs that write, and take no key, with the reason. Reviewed like code. */
const WITHOUT_KEY: Readonly<Record<string, string>> = {
  'cinder.api.v3.Diagnostics.Repair': 'mends what is wrong at that moment; what was mended is not found again',
  'cinder.api.v3.Quotas.SyncQuotas': 'makes usage what the records say at that moment',
  'cinder.api.v3.Services.SetLogLevels': 'sets what processes hold in memory, until they end',
  'cinder.api.v3.Workers.CleanupWorkers': 'gives work back to those who do it; nothing is done twice, as it is fenced',
};

test('every public RPC that writes takes an idempotency key, or is reviewed as one that needs none', (t) => {
  const withoutKey: string[] = [];
  let keyed = 0;
  for (const { service, method } of publicMethods()) {
    const level = method.idempotency;
    const key = method.input.fields.find(({ name }) => name === 'idempotency_key');
    const name = `${service}.${method.name}`;
    if (level === Level.NO_SIDE_EFFECTS) continue;
    if (!key) {
      withoutKey.push(name);
      t.is(level, Level.IDEMPOTENT, `${name} says that it is safe to repeat`);
      continue;
    }
    t.true(key.fieldKind === 'scalar' && key.proto.proto3Optional, `${name}: optional string idempotency_key`);
    keyed += 1;
  }
  t.deepEqual(withoutKey.toSorted(), Object.keys(WITHOUT_KEY).toSorted());
  t.true(keyed >= 20, `${keyed} RPCs take one`);
});

for (const { method, request } of ASKS) {
  if (!('idempotencyKey' in (method.requestDeserialize(Buffer.alloc(0)) as object))) continue;
  const rpc = method.path.slice(1);
  if (isReading(rpc)) continue;

  test(`${rpc} has one effect for a key, however often it is sent`, async (t) => {
    const projectId = newProject();
    const call = callerFor(t, installation(), projectId);
    const asked = { ...(await request(thingsOf(call, projectId))), idempotencyKey: 'key' };
    const send = (message: object) => call(method, message as never, ADMIN);

    answered(await send(asked));
    answered(await send(asked)); // most of them would be refused: what they change is changed already
    const reused = refused(await send({ ...asked, ...otherThan(t, asked) }));
    t.like(reused, { code: 'INVALID_ARGUMENT', reason: 'IDEMPOTENCY_KEY_REUSED', facts: { key: 'key' } });
    const bad = refused(await send({ ...asked, idempotencyKey: 'ä' }));
    t.like(bad, { code: 'INVALID_ARGUMENT', reason: 'INVALID_INPUT', fields: ['idempotency_key'] });
  });
}

test('a late repeat of a setting does not undo what others have set since', async (t) => {
  const call = callerFor(t, installation());
  const projectId = newProject();
  const set = async (volumes: number, idempotencyKey: string) => {
    const request = UpdateQuotaSetRequest.create({
      projectId,
      idempotencyKey,
      limits: new Map([['volumes', volumes]]),
    });
    return answered(await call(QuotasService.updateQuotaSet, request, ADMIN));
  };

  await set(10, 'first');
  await set(20, 'second');
  const late = await set(10, 'first');
  t.is(late.quotaSet?.limits.get('volumes'), 20);
  const now = answered(await call(QuotasService.getQuotaSet, { projectId, usage: false }, ADMIN));
  t.is(now.quotaSet?.limits.get('volumes'), 20);
});

function publicMethods() {
  return [...descriptors.registry].flatMap((each) =>
    each.kind === 'service' && each.typeName.startsWith('cinder.api.')
      ? each.methods.map((method) => ({ service: each.typeName, method }))
      : [],
  );
}

function isReading(rpc: string): boolean {
  const [service, name] = rpc.split('/');
  const found = publicMethods().find((each) => each.service === service && each.method.name === name);
  return found?.method.idempotency === Level.NO_SIDE_EFFECTS;
}

/** Another value of one field, well-formed: the field that says what the request is about, or its name. */
function otherThan(t: ExecutionContext, asked: object): object {
  const others = { volumeId: randomUUID(), volumeType: randomUUID(), messageId: randomUUID(), className: 'silver' };
  const fields = { ...others, host: 'node2', projectId: newProject(), size: 1, name: newTypeName() };
  const field = Object.entries(fields).find(([name]) => name in asked);
  t.truthy(field, 'something in the request is known to be changeable');
  return Object.fromEntries(field ? [field] : []);
}

/** New things of a project. */
function thingsOf(call: Caller, projectId: string): Things {
  const metadata = new Map([['key', 'value']]);
  const volume = async (): Promise<string> => {
    const request = CreateVolumeRequest.create({ size: TOO_LARGE_GIB, metadata });
    return answered(await call(VolumesService.createVolume, request)).volume?.id ?? '';
  };
  const type = async (isPublic: boolean): Promise<string> => {
    const request = CreateVolumeTypeRequest.create({ name: newTypeName(), isPublic, extraSpecs: metadata });
    return answered(await call(VolumeTypesService.createVolumeType, request, ADMIN)).volumeType?.id ?? '';
  };
  return {
    ...{ owner: 'own', projectId, volume, publicType: () => type(true) },
    async message() {
      const request = ListMessagesRequest.create({ resourceId: await volume() });
      return until(async () => {
        const { messages } = answered(await call(MessagesService.listMessages, request));
        return messages[0]?.id;
      }, 'a message');
    },
    async privateType() {
      const volumeType = await type(false);
      const access = AddVolumeTypeAccessRequest.create({ volumeType, projectId });
      answered(await call(VolumeTypesService.addVolumeTypeAccess, access, ADMIN));
      return volumeType;
    },
  };
}
