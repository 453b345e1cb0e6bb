import { createFileRegistry, fromBinary, getOption, type FileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import test, { type ExecutionContext } from 'ava';
import {
  ServerReflectionService,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from '#src/gen/grpc/reflection/v1/reflection.js';
import { bareClient, schedulerServer, volumesServer } from '../support/rpc.js';

type Question = NonNullable<ServerReflectionRequest['messageRequest']>;
type Answer = ServerReflectionResponse['messageResponse'];

const V1 = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const V1ALPHA = '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo';

/** Asks a server, all questions over one stream. */
async function ask(
  t: ExecutionContext,
  server: { readonly address: string },
  questions: readonly Question[],
  path = V1,
): Promise<Answer[]> {
  const { requestSerialize, responseDeserialize } = ServerReflectionService.serverReflectionInfo;
  const stream = bareClient(t, server).makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  for (const messageRequest of questions) stream.write({ host: 'here', messageRequest });
  stream.end();
  const answers: Answer[] = [];
  for await (const response of stream as AsyncIterable<ServerReflectionResponse>)
    answers.push(response.messageResponse);
  return answers;
}

function filesIn(answer: Answer): FileDescriptorProto[] {
  if (answer?.$case !== 'fileDescriptorResponse') throw new Error(`no files: ${JSON.stringify(answer)}`);
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

function registryOf(answer: Answer): FileRegistry {
  return createFileRegistry(create(FileDescriptorSetSchema, { file: filesIn(answer) }));
}

for (const path of [V1, V1ALPHA]) {
  test(`${path}: a client learns the services, and the options of their methods and fields`, async (t) => {
    const server = await volumesServer(t, {});
    const [list, service] = await ask(
      t,
      server,
      [
        { $case: 'listServices', value: '' },
        { $case: 'fileContainingSymbol', value: 'cinder.api.v3.Volumes' },
      ],
      path,
    );
    t.deepEqual(list?.$case === 'listServicesResponse' && list.value.service.map(({ name }) => name), [
      'cinder.api.v3.Volumes',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    const registry = registryOf(service);
    const policy = registry.getExtension('cinder.rpc.v1.policy');
    const visibleTo = registry.getExtension('cinder.rpc.v1.visible_to');
    const create = registry.getService('cinder.api.v3.Volumes')?.method['createVolume'];
    const host = registry.getMessage('cinder.api.v3.Volume')?.field['host'];
    if (!policy || !visibleTo || !create || !host) throw new Error('options or descriptors are missing');
    t.is(getOption(create, policy), 'volume:create');
    t.is(getOption(host, visibleTo), 1);
    t.true(host.proto.proto3Optional);
  });
}

test('files come with all they need, dependencies first', async (t) => {
  const [answer] = await ask(t, await schedulerServer(t), [
    { $case: 'fileByFilename', value: 'cinder/scheduler/v3/scheduler_manager.proto' },
  ]);
  const seen = new Set<string>();
  for (const { name, dependency } of filesIn(answer)) {
    for (const needed of dependency) t.true(seen.has(needed), `${name} needs ${needed}`);
    seen.add(name);
  }
  t.true(seen.has('google/protobuf/descriptor.proto'));
});

test('messages, methods, enums, fields and extensions are found by name; error details too, so that clients can print them', async (t) => {
  const symbols = {
    'cinder.api.v3.Volumes.CreateVolume': 'cinder/api/v3/volumes.proto',
    'cinder.api.v3.VolumeStatus': 'cinder/api/v3/volumes.proto',
    'cinder.api.v3.Volume.host': 'cinder/api/v3/volumes.proto',
    'cinder.rpc.v1.since': 'cinder/rpc/v1/options.proto',
    'google.rpc.ErrorInfo': 'google/rpc/error_details.proto',
    'google.rpc.BadRequest.FieldViolation': 'google/rpc/error_details.proto',
    'grpc.health.v1.Health': 'grpc/health/v1/health.proto',
  };
  const questions = Object.keys(symbols).map((value) => ({ $case: 'fileContainingSymbol', value }) as const);
  const answers = await ask(t, await volumesServer(t, {}), questions);
  t.deepEqual(
    answers.map((answer) => filesIn(answer).at(-1)?.name),
    Object.values(symbols),
  );
});

test('extensions are found by the type they extend and their number', async (t) => {
  const containingType = 'google.protobuf.FieldOptions';
  const [numbers, file, none, messages] = await ask(t, await volumesServer(t, {}), [
    { $case: 'allExtensionNumbersOfType', value: containingType },
    { $case: 'fileContainingExtension', value: { containingType, extensionNumber: 50005 } },
    { $case: 'fileContainingExtension', value: { containingType, extensionNumber: 7 } },
    { $case: 'allExtensionNumbersOfType', value: 'cinder.api.v3.Volume' },
  ]);
  t.deepEqual(
    numbers?.$case === 'allExtensionNumbersResponse' && numbers.value.extensionNumber.toSorted(),
    [50005, 50006, 50007, 50008],
  );
  t.is(filesIn(file).at(-1)?.name, 'cinder/rpc/v1/options.proto');
  t.is(none?.$case === 'errorResponse' && none.value.errorCode, 5);
  t.deepEqual(messages?.$case === 'allExtensionNumbersResponse' && messages.value.extensionNumber, []);
});

test('what is not there is an error in the stream, which goes on', async (t) => {
  const answers = await ask(t, await volumesServer(t, {}), [
    { $case: 'fileByFilename', value: 'no/such.proto' },
    { $case: 'fileContainingSymbol', value: 'no.Such' },
    { $case: 'allExtensionNumbersOfType', value: 'no.Such' },
    { $case: 'listServices', value: '' },
  ]);
  t.deepEqual(
    answers.map((answer) => answer?.$case),
    ['errorResponse', 'errorResponse', 'errorResponse', 'listServicesResponse'],
  );
});
