import type { DescFile, DescMessage } from '@bufbuild/protobuf';
import { type Server, type ServerDuplexStream, status as Code } from '@grpc/grpc-js';
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService,
} from '../gen/grpc/reflection/v1/reflection.js';
import type { Descriptors } from './descriptors.js';

type Stream = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;
type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

/** v1 and v1alpha differ in their name only; Postman, grpcui and evans still ask for the latter. */
const PATHS = ['/grpc.reflection.v1.ServerReflection', '/grpc.reflection.v1alpha.ServerReflection'] as const;

/** Server reflection from the bytes of the descriptor set itself, so that clients see our options too. */
export class Reflection {
  readonly #descriptors: Descriptors;
  readonly #services: readonly string[];
  readonly #fileOfName = new Map<string, DescFile>();
  readonly #fileOfSymbol = new Map<string, DescFile>();
  /** Extended type → number → file. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #streams = new Set<Stream>();

  /** `services`: full names of what the server offers beside reflection. */
  constructor(descriptors: Descriptors, services: readonly string[]) {
    this.#descriptors = descriptors;
    this.#services = [...services, ...PATHS.map((path) => path.slice(1))];
    for (const file of descriptors.registry.files) this.#index(file);
  }

  /** Adds both services to a server. */
  addTo(server: Server): void {
    const method = ServerReflectionService.serverReflectionInfo;
    for (const service of PATHS) {
      const definition = { serverReflectionInfo: { ...method, path: `${service}/ServerReflectionInfo` } };
      server.addService(definition, { serverReflectionInfo: (stream: Stream) => this.#serve(stream) });
    }
  }

  /** Ends the streams: open ones would keep a stopping server. */
  close(): void {
    for (const stream of this.#streams) stream.end();
  }

  #serve(stream: Stream): void {
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    stream.on('data', (request: ServerReflectionRequest) => {
      const response = { validHost: request.host, originalRequest: request, messageResponse: this.#answer(request) };
      if (stream.write(response)) return;
      stream.pause();
      stream.once('drain', () => stream.resume());
    });
    stream.on('end', () => stream.end());
  }

  #answer({ messageRequest }: ServerReflectionRequest): Answer {
    switch (messageRequest?.$case) {
      case 'listServices':
        return { $case: 'listServicesResponse', value: { service: this.#services.map((name) => ({ name })) } };
      case 'fileByFilename':
        return this.#file(this.#fileOfName.get(messageRequest.value), messageRequest.value);
      case 'fileContainingSymbol':
        return this.#file(this.#fileOfSymbol.get(messageRequest.value), messageRequest.value);
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = messageRequest.value;
        return this.#file(
          this.#extensions.get(containingType)?.get(extensionNumber),
          `${containingType} ${extensionNumber}`,
        );
      }
      case 'allExtensionNumbersOfType':
        return this.#extensionNumbers(messageRequest.value);
      default:
        return failure(Code.INVALID_ARGUMENT, 'the request asks for nothing');
    }
  }

  #file(file: DescFile | undefined, asked: string): Answer {
    if (!file) return failure(Code.NOT_FOUND, `not found: ${asked}`);
    const files = [...closureOf(file)].map(({ proto }) => this.#descriptors.files.get(proto.name) ?? Buffer.alloc(0));
    return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: files } };
  }

  #extensionNumbers(type: string): Answer {
    const numbers = this.#extensions.get(type);
    if (!numbers && !this.#fileOfSymbol.has(type)) return failure(Code.NOT_FOUND, `not found: ${type}`);
    const extensionNumber = [...(numbers?.keys() ?? [])];
    return { $case: 'allExtensionNumbersResponse', value: { baseTypeName: type, extensionNumber } };
  }

  #index(file: DescFile): void {
    this.#fileOfName.set(file.proto.name, file);
    const symbols = [
      ...file.messages.flatMap(symbolsOf),
      ...file.enums.map(({ typeName }) => typeName),
      ...file.services.flatMap(({ typeName, methods }) => [
        typeName,
        ...methods.map(({ name }) => `${typeName}.${name}`),
      ]),
      ...file.extensions.map(({ typeName }) => typeName),
    ];
    for (const symbol of symbols) this.#fileOfSymbol.set(symbol, file);
    for (const { extendee, number } of file.extensions) {
      const numbers = this.#extensions.get(extendee.typeName) ?? new Map<number, DescFile>();
      this.#extensions.set(extendee.typeName, numbers.set(number, file));
    }
  }
}

function symbolsOf(message: DescMessage): readonly string[] {
  return [
    message.typeName,
    ...message.fields.map(({ name }) => `${message.typeName}.${name}`),
    ...message.nestedMessages.flatMap(symbolsOf),
    ...message.nestedEnums.map(({ typeName }) => typeName),
  ];
}

/** A file after all files it needs, each once: clients build them in the order they arrive. */
function closureOf(file: DescFile, found = new Set<DescFile>()): ReadonlySet<DescFile> {
  for (const dependency of file.dependencies) if (!found.has(dependency)) closureOf(dependency, found);
  return found.add(file);
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return { $case: 'errorResponse', value: { errorCode, errorMessage } };
}
