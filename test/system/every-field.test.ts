import { randomUUID } from 'node:crypto';
import { type Client as GrpcClient, status as Code, type ServiceError } from '@grpc/grpc-js';
import type { DescField, DescMethod } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import test, { type ExecutionContext } from 'ava';
import { CreateVolumeTypeRequest, VolumeTypesService } from '#src/gen/cinder/api/v3/volume_types.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { ERROR_DOMAIN } from '#src/rpc/faults-on-the-wire.js';
import { answered, callerFor, newProject, refusalIn } from '../support/api.js';
import { badValues } from '../support/bad-values.js';
import { sharedInstallation, until } from '../support/installation.js';
import { bareClient, descriptors, metadataOf } from '../support/rpc.js';

/** Every RPC of the public API and every field of its request, as the descriptors have them: a new one is here by itself. */
const installation = sharedInstallation();

const METHODS: readonly DescMethod[] = [...descriptors.registry.files]
  .filter(({ proto }) => proto.package === 'cinder.api.v3')
  .flatMap(({ services }) => services)
  .flatMap(({ methods }) => methods);

/** What the protos promise for requests that cannot be served as they are. */
const DOCUMENTED: readonly string[] = [
  ...['OK', 'INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'FAILED_PRECONDITION', 'PERMISSION_DENIED'],
  ...['RESOURCE_EXHAUSTED', 'ABORTED', 'UNIMPLEMENTED'],
];

/** As whom, and with nothing else in the request or with everything else as it should be. */
const ASKED = [
  ['admin', true],
  ['admin', false],
  ['member', false],
] as const;

for (const method of METHODS) {
  const values = badValues(method.input);
  const name = `${method.parent.name}/${method.name}`;
  test(`${name} answers ${values.length} bad values of its fields in order`, async (t) => {
    const project = newProject();
    const client = bareClient(t, installation());
    const wrong: string[] = [];
    let things = await thingsOf(t, project);
    for (const [roles, isBare] of ASKED) {
      const headers = { 'x-project-id': project, 'x-roles': roles };
      for (const { what, bytes, isHopeless } of values) {
        const request = isBare ? bytes : Buffer.concat([plausible(method, things), bytes]);
        const answer = await ask(client, method, Buffer.from(request), headers);
        const problem = problemOf(answer, isHopeless);
        if (problem) wrong.push(`${isBare ? 'nothing but ' : ''}${what}, as ${roles}: ${problem}`);
        if (answer === 'OK' && method.name.startsWith('Delete')) things = await thingsOf(t, project);
      }
    }
    t.deepEqual(wrong, []);
  });
}

test.after('afterwards the server works, has no unexpected error in its log, and its books agree', async (t) => {
  const client = installation().client(newProject());
  const { id } = await client.available((await client.create()).id);
  await client.delete(id);
  await client.gone(id);
  t.deepEqual(await client.usage(), { volumes: [0, 0], gigabytes: [0, 0] });
  t.deepEqual(
    installation()
      .process.stderr()
      .split('\n')
      .filter((line) => line.includes('"an unexpected error"')),
    [],
  );

  t.is(await installation().stop(), 0);
  const { records, files, workers, settlements, halfMade } = installation().books();
  t.deepEqual({ workers, settlements, halfMade }, { workers: 0, settlements: 0, halfMade: 0 });
  const available = [...records].filter(([, status]) => status === 'available').map(([volumeId]) => volumeId);
  t.deepEqual([...files].sort(), available.sort());
});

/** Things of the project that requests may name. */
interface Things {
  readonly volumeId: string;
  readonly volumeType: string;
}

async function thingsOf(t: ExecutionContext, project: string): Promise<Things> {
  const call = callerFor(t, installation(), project);
  const name = `type-${randomUUID().slice(0, 12)}`;
  const admin = { 'x-roles': 'admin' };
  answered(await call(VolumeTypesService.createVolumeType, CreateVolumeTypeRequest.create({ name }), admin));
  const client = installation().client(project);
  const [known] = (await client.list()).filter(({ status }) => status === VolumeStatus.AVAILABLE);
  const volume = known ?? (await client.create());
  await until(
    async () => ((await client.get(volume.id))?.status === VolumeStatus.CREATING ? undefined : true),
    'a volume',
  );
  return { volumeId: volume.id, volumeType: name };
}

/** A request that gets as far as it can before the bad value is looked at; the bad value comes last, and so counts. */
function plausible({ input }: DescMethod, { volumeId, volumeType }: Things): Uint8Array {
  const texts: Readonly<Record<string, string>> = {
    ...{ volume_id: volumeId, volume_type: volumeType, project_id: 'another', message_id: randomUUID() },
    ...{ binary: 'cinder-volume', host: 'nowhere', name: `name-${randomUUID()}`, class_name: 'gold' },
  };
  const writer = new BinaryWriter();
  const write = (field: DescField): void => {
    const value = texts[field.name];
    if (field.name === 'size') writer.tag(field.number, WireType.Varint).int32(1);
    else if (field.name === 'keys') writer.tag(field.number, WireType.LengthDelimited).string('k');
    else if (['metadata', 'extra_specs'].includes(field.name) && field.fieldKind === 'map') {
      writer.tag(field.number, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string('k');
      writer.tag(2, WireType.LengthDelimited).string('v').join();
    } else if (value !== undefined && field.fieldKind === 'scalar') {
      writer.tag(field.number, WireType.LengthDelimited).string(value);
    }
  };
  input.fields.forEach(write);
  return writer.finish();
}

/** Why an answer is none that a caller may get. */
function problemOf(answer: 'OK' | ServiceError, isHopeless: boolean): string | undefined {
  if (answer === 'OK') return isHopeless ? 'it was accepted' : undefined;
  const { code, reason, domain, fields, message } = refusalIn(answer);
  if (!DOCUMENTED.includes(code)) return `${code} ${reason} ${message}`;
  if (domain !== ERROR_DOMAIN || reason === '') return `${code} without an ErrorInfo: ${message}`;
  if (code === 'UNIMPLEMENTED' && reason !== 'NOT_BUILT') return `${code} ${reason}`;
  if (reason === 'INVALID_INPUT' && fields.length === 0) return `${code} names no field`;
  return undefined;
}

/** Sends bytes. A stream that begins is an OK, and is left at once. */
function ask(
  client: GrpcClient,
  method: DescMethod,
  request: Buffer,
  headers: Readonly<Record<string, string>>,
): Promise<'OK' | ServiceError> {
  const path = `/${method.parent.typeName}/${method.name}`;
  const asItIs = (bytes: Buffer): Buffer => bytes;
  const options = { deadline: Date.now() + 20_000 };
  return new Promise((resolve) => {
    if (method.methodKind === 'unary') {
      client.makeUnaryRequest(path, asItIs, asItIs, request, metadataOf(headers), options, (error) =>
        resolve(error ?? 'OK'),
      );
      return;
    }
    const stream = client.makeServerStreamRequest(path, asItIs, asItIs, request, metadataOf(headers), options);
    stream.on('metadata', () => {
      resolve('OK');
      stream.cancel();
    });
    stream.on('error', (error: ServiceError) => {
      if (error.code !== Code.CANCELLED) resolve(error);
    });
    stream.resume();
  });
}
