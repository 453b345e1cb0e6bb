import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import test from 'ava';
import { ListMessagesRequest, MessagesService } from '#src/gen/cinder/api/v3/messages.js';
import {
  AddVolumeTypeAccessRequest,
  CreateVolumeTypeRequest,
  VolumeTypesService,
} from '#src/gen/cinder/api/v3/volume_types.js';
import { CreateVolumeRequest, type Volume, VolumesService, VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import type { AnyMethod } from '#src/rpc/service-definition.js';
import type { PublicMethod } from '#src/rpc/versions.js';
import { answered, refusalIn } from '../support/api.js';
import { folderFor } from '../support/folder.js';
import { Installation, type Lifetime, until } from '../support/installation.js';
import { bareClient, callBare, rules } from '../support/rpc.js';
import { type TestToken, writeTokens } from '../support/tokens.js';
import { EXPECTED, OWNERS, type Owner, type Persona, PERSONAS } from './personas/expected.js';
import { ASKS, newTypeName, PROJECT_OF, type Things, TOO_LARGE_GIB } from './personas/requests.js';

const PATH = '/cinder.api.v3.';
const home = { userId: 'someone', projectId: PROJECT_OF.own };
const TOKENS: Readonly<Record<Persona | 'abroad', TestToken>> = {
  reader: { token: 'the-reader-of-home', roles: ['reader'], ...home },
  member: { token: 'the-member-of-home', roles: ['member'], ...home },
  admin: { token: 'the-admin-of-home', roles: ['admin'], ...home },
  systemReader: { token: 'the-reader-of-all', roles: ['reader'], userId: 'auditor' },
  systemAdmin: { token: 'the-admin-of-all', roles: ['admin'], userId: 'operator' },
  abroad: { token: 'the-member-of-abroad', roles: ['member'], userId: 'foreigner', projectId: PROJECT_OF.foreign },
};
const ENVIRONMENT = {
  CINDER_AUTH_STRATEGY: 'tokens',
  CINDER_BACKENDS_FILE_CAPACITY_GIB: '2', // for the one volume that is placed
  CINDER_QUOTA_VOLUMES: '-1',
  CINDER_QUOTA_GIGABYTES: '-1',
};

let installation: Installation;
/** A volume of `home` that is on the backend. */
let placedId: string;
const ends: (() => unknown)[] = [];
test.before('the installation starts', async () => {
  const lifetime: Lifetime = { teardown: (end) => void ends.unshift(end) };
  const folder = await folderFor(lifetime);
  const tokens = join(folder, 'tokens.toml');
  await writeTokens(tokens, Object.values(TOKENS));
  installation = new Installation(lifetime, folder, { ...ENVIRONMENT, CINDER_AUTH_TOKENS_FILE: tokens });
  await installation.start();
  placedId = await placed(lifetime);
});
test.after.always('the installation is gone', async () => {
  for (const end of ends) await end();
});

test('every public RPC has its lines in the table and its request', (t) => {
  const paths = methods().map(({ path }) => path);
  const sorted = (list: readonly string[]): readonly string[] => [...new Set(list)].toSorted();
  t.deepEqual(sorted(EXPECTED.map(({ rpc }) => `${PATH}${rpc}`)), sorted(paths));
  t.deepEqual(sorted(ASKS.map(({ method }) => method.path)), sorted(paths));
  t.deepEqual(sorted(EXPECTED.map(({ rpc, owner }) => `${rpc} ${owner}`)).length, EXPECTED.length, 'one line each');
  for (const { rpc, owner, endings } of EXPECTED) {
    t.true(OWNERS.includes(owner), rpc);
    for (const ending of Object.values(endings)) t.regex(ending, /^(yes|no|hidden|scope)$/, rpc);
  }
});

for (const { method, request } of ASKS) {
  const rpc = method.path.replace(PATH, '');

  for (const { owner, endings } of EXPECTED.filter((line) => line.rpc === rpc)) {
    test(`${rpc} on what is ${owner === 'own' ? 'their own' : "another project's"} ends for the personas as reviewed`, async (t) => {
      const client = bareClient(t, installation);
      const got = PERSONAS.map(async (persona) => {
        const things = thingsOf(client, owner);
        return [persona, await endingOf(client, method, await request(things), TOKENS[persona].token)] as const;
      });
      t.deepEqual(Object.fromEntries(await Promise.all(got)), endings);
    });
  }

  test(`${rpc} is for nobody without a token, nor with one that nobody knows`, async (t) => {
    const client = bareClient(t, installation);
    const bytes = await request(NOTHING);
    for (const token of [undefined, 'guessed', '']) {
      t.is(await endingOf(client, method, bytes, token), 'UNAUTHENTICATED NOT_AUTHENTICATED', token ?? 'none');
    }
  });
}

test('where a volume is, only those see who see everything', async (t) => {
  const client = bareClient(t, installation);
  const shown = PERSONAS.map(async (persona) => [persona, fieldsOf(await seen(client, placedId, persona))] as const);
  const fields = Object.fromEntries(await Promise.all(shown)) as Record<Persona, readonly string[]>;
  const everything = [...SEEN_BY_ALL, 'host', 'serviceUuid'].toSorted();
  t.deepEqual(fields, {
    ...{ reader: SEEN_BY_ALL, member: SEEN_BY_ALL },
    ...{ admin: everything, systemReader: everything, systemAdmin: everything },
  });
});

test("another project's volume cannot be cloned, in the words of a volume that never was", async (t) => {
  const client = bareClient(t, installation);
  const clone = async (sourceVolumeId: string): Promise<string> => {
    const request = CreateVolumeRequest.create({ size: 1, sourceVolumeId });
    const { error } = await callBare(client, VolumesService.createVolume, request, as('abroad'));
    return error?.details.replace(sourceVolumeId, 'ID') ?? 'it was cloned';
  };
  const [foreign, never] = [await clone(placedId), await clone(randomUUID())];
  t.regex(foreign, /ID/);
  t.is(foreign, never);
});

test('the fields that only those see who see everything are reviewed, and hidden in every answer that has them', (t) => {
  for (const { path, adminOnly } of methods()) {
    if (!adminOnly) continue;
    const inside = adminOnly.inside.map(({ place, cut }) => [place.property, cut.clear.map((each) => each.property)]);
    t.deepEqual(adminOnly.clear, [], path);
    for (const [place, hidden] of inside) t.deepEqual(hidden, HIDDEN[String(place).replace(/s$/, '')], path);
  }
});

/** Fields of a volume on a backend that are set, for everybody in its project. */
const SEEN_BY_ALL = [
  ...['attachments', 'availabilityZone', 'bootable', 'createdAt', 'encrypted', 'id', 'launchedAt', 'metadata'],
  ...['multiattach', 'name', 'projectId', 'revision', 'scheduledAt', 'size', 'status', 'updatedAt', 'userId'],
  'volumeTypeId',
];

/** Fields of things in answers that are cleared for who does not see everything. */
const HIDDEN: Readonly<Record<string, readonly string[]>> = {
  volume: ['host', 'migrationStatus', 'clusterName', 'serviceUuid', 'providerId', 'providerLocation'],
  volumeType: ['qosSpecsId'],
};

function methods(): readonly PublicMethod[] {
  return [...rules.public.values()].flatMap((api) => [...api.methods.values()]);
}

/** Makes a volume of `home` and waits for it. */
async function placed(t: Lifetime): Promise<string> {
  const client = bareClient(t, installation);
  const request = CreateVolumeRequest.create({ size: 1, name: 'placed' });
  const { volume } = answered(await callBare(client, VolumesService.createVolume, request, as('member')));
  const id = volume?.id ?? '';
  await until(async () => {
    const { status } = await seen(client, id, 'member');
    return status === VolumeStatus.AVAILABLE ? true : undefined;
  }, 'the volume to be available');
  return id;
}

/** How a request ends, in the words of the table; else its code and its reason. */
async function endingOf(client: Client, method: AnyMethod, request: object, token?: string): Promise<string> {
  const error = await errorOf(client, method, request, token);
  if (!error) return 'yes';
  const { code, reason } = refusalIn(error);
  if (reason === 'POLICY_NOT_AUTHORIZED') return 'no';
  if (reason === 'INVALID_SCOPE') return 'scope';
  return code === 'NOT_FOUND' ? 'hidden' : `${code} ${reason}`;
}

async function errorOf(
  client: Client,
  method: AnyMethod,
  request: object,
  token?: string,
): Promise<ServiceError | undefined> {
  const headers = token === undefined ? {} : { 'x-auth-token': token };
  if (!method.responseStream) return (await callBare(client, method, request as never, headers)).error;
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const encode = method.requestSerialize as (message: object) => Buffer;
  const stream = client.makeServerStreamRequest(method.path, encode, (bytes) => bytes, request, metadata, {
    deadline: Date.now() + 10_000,
  });
  return new Promise((resolve) => {
    // a stream that was let in says so by its headers
    stream.on('metadata', () => resolve(undefined));
    stream.on('error', resolve);
  }).then((error) => {
    stream.cancel();
    return error as ServiceError | undefined;
  });
}

/** New things of a project, made by those who may. */
function thingsOf(client: Client, owner: Owner): Things {
  const projectId = PROJECT_OF[owner];
  const maker = as(owner === 'own' ? 'member' : 'abroad');
  const volume = async (): Promise<string> => {
    const request = CreateVolumeRequest.create({ size: TOO_LARGE_GIB, metadata: new Map([['key', 'value']]) });
    return answered(await callBare(client, VolumesService.createVolume, request, maker)).volume?.id ?? '';
  };
  const type = async (isPublic: boolean): Promise<string> => {
    const extraSpecs = new Map([['key', 'value']]);
    const request = CreateVolumeTypeRequest.create({ name: newTypeName(), isPublic, extraSpecs });
    const made = await callBare(client, VolumeTypesService.createVolumeType, request, as('systemAdmin'));
    return answered(made).volumeType?.id ?? '';
  };
  return {
    owner,
    projectId,
    volume,
    async message() {
      const request = ListMessagesRequest.create({ resourceId: await volume() });
      return until(async () => {
        const { messages } = answered(await callBare(client, MessagesService.listMessages, request, maker));
        return messages[0]?.id;
      }, 'a message');
    },
    async privateType() {
      const volumeType = await type(false);
      const access = AddVolumeTypeAccessRequest.create({ volumeType, projectId });
      answered(await callBare(client, VolumeTypesService.addVolumeTypeAccess, access, as('systemAdmin')));
      return volumeType;
    },
    publicType: () => type(true),
  };
}

/** For requests that are refused before anybody looks at what they are about. */
const NOTHING: Things = {
  owner: 'own',
  projectId: PROJECT_OF.own,
  volume: () => Promise.resolve(randomUUID()),
  message: () => Promise.resolve(randomUUID()),
  privateType: () => Promise.resolve(randomUUID()),
  publicType: () => Promise.resolve(randomUUID()),
};

function as(who: keyof typeof TOKENS): Readonly<Record<string, string>> {
  return { 'x-auth-token': TOKENS[who].token };
}

async function seen(client: Client, volumeId: string, persona: Persona): Promise<Volume> {
  const { volume } = answered(await callBare(client, VolumesService.getVolume, { volumeId }, as(persona)));
  if (!volume) throw new Error('the answer has no volume');
  return volume;
}

/** Names of the fields that are set. */
function fieldsOf(message: object): readonly string[] {
  return Object.entries(message)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name)
    .toSorted();
}
