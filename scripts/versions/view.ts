import type { DescEnum, DescField, DescMessage, DescMethod, DescService, FileRegistry } from '@bufbuild/protobuf';

import { objectVersionFor } from '#src/rpc/object-history.js';
import { rpcOptions, type RpcOptions } from '#src/rpc/rpc-options.js';
import { compareVersions, formatVersion, type Version, versionOf } from '#src/rpc/version-number.js';

import { type Levels, NEWEST } from './levels.js';

/** What an older version of the internal APIs has of the protos. */
export interface View {
  /** Whether it is there in the older version. What no internal API uses is always there. */
  readonly has: (desc: DescMessage | DescEnum | DescField | DescMethod) => boolean;
  /** The version it has there; undefined: neither an internal API nor an object. */
  readonly versionOf: (desc: DescService | DescMessage) => string | undefined;
}

/** Reads an older version out of the protos' rules. Throws for a binary that there is not, or a version it never had. */
export function viewOf(registry: FileRegistry, levels: Levels): View {
  const options = rpcOptions(registry);
  const services = internalServices(registry, options);
  checkBinaries(services, options, levels);
  const inAll = new Reach(options, NEWEST, () => true);
  const inView = new Reach(options, levels, (since, limit) => !since || compareVersions(versionOf(since), limit) <= 0);
  for (const service of services) {
    for (const reach of [inAll, inView]) reach.addService(service);
  }
  return {
    has: (desc) => inView.has(desc) || !inAll.has(desc),
    versionOf: (desc) => {
      const version = desc.kind === 'message' ? inView.objectVersion(desc) : inView.apiVersion(desc);
      return version && formatVersion(version);
    },
  };
}

/** The services that have versions. */
export function internalServices(registry: FileRegistry, options: RpcOptions): readonly DescService[] {
  return [...registry.files].flatMap((file) => file.services.filter((service) => options.apiOf(service)));
}

function checkBinaries(services: readonly DescService[], options: RpcOptions, { rpc }: Levels): void {
  const apis = services.flatMap((service) => options.apiOf(service) ?? []);
  for (const [binary, version] of rpc) {
    const api = apis.find((one) => one.binary === binary);
    if (!api) throw new Error(`there is no ${binary}: there are ${apis.map((one) => one.binary).join(', ')}`);
    if (compareVersions(version, versionOf(api.baseline)) < 0 || compareVersions(version, versionOf(api.version)) > 0) {
      throw new Error(
        `${binary} never spoke ${formatVersion(version)}: it has spoken ${api.baseline} to ${api.version}`,
      );
    }
  }
}

/** Everything that methods use, as far as `keeps` lets it: `since` is empty where nothing is said. */
class Reach {
  readonly #options: RpcOptions;
  readonly #levels: Levels;
  readonly #keeps: (since: string, limit: Version) => boolean;
  readonly #reached = new Set<unknown>();
  /** Messages that are no objects, and the API by whose version they are cut. */
  readonly #owners = new Map<DescMessage, DescService>();

  constructor(options: RpcOptions, levels: Levels, keeps: (since: string, limit: Version) => boolean) {
    this.#options = options;
    this.#levels = levels;
    this.#keeps = keeps;
  }

  has(desc: unknown): boolean {
    return this.#reached.has(desc);
  }

  addService(service: DescService): void {
    const limit = this.apiVersion(service);
    if (!limit) return;
    for (const method of service.methods) {
      if (!this.#keeps(this.#options.methodOf(method)?.since ?? '', limit)) continue;
      this.#reached.add(method);
      for (const message of [method.input, method.output]) this.#addMessage(message, service, limit);
    }
  }

  apiVersion(service: DescService): Version | undefined {
    const api = this.#options.apiOf(service);
    return api && (this.#levels.rpc.get(api.binary) ?? versionOf(api.version));
  }

  objectVersion(message: DescMessage): Version | undefined {
    const object = this.#options.objectOf(message);
    return object && (objectVersionFor(this.#levels.objects, object.name) ?? versionOf(object.version));
  }

  #addMessage(message: DescMessage, service: DescService, apiVersion: Version): void {
    const objectVersion = this.objectVersion(message);
    if (!objectVersion) this.#own(message, service);
    if (this.#reached.has(message)) return;
    this.#reached.add(message);
    for (const field of message.fields) {
      if (!this.#keeps(this.#options.fieldOf(field).since, objectVersion ?? apiVersion)) continue;
      this.#reached.add(field);
      if (field.enum) this.#reached.add(field.enum);
      if (field.message) this.#addMessage(field.message, service, apiVersion);
    }
  }

  /** One message cannot be cut by the versions of two APIs. */
  #own(message: DescMessage, service: DescService): void {
    const owner = this.#owners.get(message) ?? service;
    this.#owners.set(message, owner);
    const versioned = message.fields.find((field) => this.#options.fieldOf(field).since !== '');
    if (owner === service || !versioned) return;
    throw new Error(
      `${message.typeName}.${versioned.name} has a since, and two APIs use it: make ${message.name} an object`,
    );
  }
}
