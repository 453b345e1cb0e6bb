import { createHash } from 'node:crypto';
import type { DescEnum, DescField, DescMessage, DescMethod, DescService, FileRegistry } from '@bufbuild/protobuf';

import { OBJECT_VERSIONS, objectVersionFor } from '#src/rpc/object-history.js';
import { rpcOptions, type RpcOptions } from '#src/rpc/rpc-options.js';
import { compareVersions, versionOf } from '#src/rpc/version-number.js';

import { internalFiles } from './sources.js';
import { internalServices } from './view.js';

/** What something looks like in one version and, until a later row of the same name, in the versions after it. */
export interface Row {
  /** Who numbers the version: a binary, an object, `objects` for their history; `-`: nobody, it must never change. */
  readonly clock: string;
  readonly version: string;
  /** Full name of a method, message or enum. */
  readonly name: string;
  readonly print: string;
}

/** `-` in the place of a version. */
export const UNVERSIONED = '-';
/** In the place of a fingerprint: the newest version there is. */
export const NEWEST = 'newest';
/** Before the fingerprint of an enum, whose rule is another: docs/adr/0021-values-of-internal-enums.md. */
export const ENUM = 'values:';
/** The clock of the object history. */
export const HISTORY = 'objects';

/**
 * One row for each version in which a method, message, enum or object came or changed, and one for the newest version of
 * each API and object. The rows of a version say nothing of later ones: what comes later only adds rows.
 */
export function fingerprints(registry: FileRegistry): readonly Row[] {
  const options = rpcOptions(registry);
  const used = new Uses(options);
  const services = internalServices(registry, options);
  for (const service of services) used.addService(service);
  const bare = internalFiles(registry).flatMap((file) => file.services.filter((service) => !options.apiOf(service)));
  for (const service of bare) used.addBareService(service);
  for (const { messages } of internalFiles(registry)) for (const message of messages) used.addObject(message);
  return [
    ...services.flatMap((service) => serviceRows(service, options)),
    ...bare.flatMap((service) => service.methods.map(bareRow)),
    ...[...used.messages].flatMap(([message, use]) => messageRows(message, use, options)),
    ...[...used.enums].map(([desc, { clock, version }]) => ({
      clock,
      version,
      name: desc.typeName,
      print: `${ENUM}${hash(values(desc))}`,
    })),
    ...historyRows([...used.messages.keys()], options),
  ].toSorted(byClock);
}

/** Where something was first used. */
interface Use {
  readonly clock: string;
  readonly version: string;
}

const NOBODY: Use = { clock: UNVERSIONED, version: UNVERSIONED };

/** Who uses which message and enum, and since when. */
class Uses {
  readonly messages = new Map<DescMessage, Use>();
  readonly enums = new Map<DescEnum, Use>();
  readonly #options: RpcOptions;

  constructor(options: RpcOptions) {
    this.#options = options;
  }

  addService(service: DescService): void {
    const { binary, baseline } = this.#options.apiOf(service) ?? { binary: '', baseline: '' };
    for (const method of service.methods) {
      const version = this.#options.methodOf(method)?.since || baseline;
      for (const message of [method.input, method.output]) this.#addMessage(message, { clock: binary, version });
    }
  }

  /** What is served beside every API has no version: it must never change. */
  addBareService({ methods }: DescService): void {
    for (const { input, output } of methods) for (const message of [input, output]) this.#addMessage(message, NOBODY);
  }

  /** An object has its own versions, whoever uses it. */
  addObject(message: DescMessage): void {
    if (this.#options.objectOf(message)) this.#addMessage(message, NOBODY);
  }

  #addMessage(message: DescMessage, use: Use): void {
    if (message.typeName.startsWith('google.')) return;
    const object = this.#options.objectOf(message);
    const known = this.messages.get(message);
    const own = object ? { clock: object.name, version: '1.0' } : earliest(known, use);
    if (known && sameUse(known, own)) return;
    this.messages.set(message, own);
    for (const field of message.fields) {
      const { since } = this.#options.fieldOf(field);
      const inside = object || own === NOBODY ? NOBODY : { clock: own.clock, version: later(own.version, since) };
      if (field.enum) this.enums.set(field.enum, earliest(this.enums.get(field.enum), inside));
      if (field.message) this.#addMessage(field.message, inside);
    }
  }
}

function serviceRows(service: DescService, options: RpcOptions): readonly Row[] {
  const {
    binary: clock,
    baseline,
    version: newest,
  } = options.apiOf(service) ?? { binary: '', baseline: '', version: '' };
  const methods = service.methods.map((method) => {
    const { since, kind, durable } = options.methodOf(method) ?? { since: '', kind: 'call', durable: false };
    const shape = `${method.input.typeName} ${method.output.typeName} ${kind ?? ''} ${String(durable)}`;
    return { clock, version: since || baseline, name: `${service.typeName}/${method.name}`, print: hash(shape) };
  });
  return [...methods, { clock, version: newest, name: service.typeName, print: NEWEST }];
}

function bareRow({ parent, name, input, output }: DescMethod): Row {
  const print = hash(`${input.typeName} ${output.typeName}`);
  return { clock: UNVERSIONED, version: UNVERSIONED, name: `${parent.typeName}/${name}`, print };
}

function messageRows(message: DescMessage, { clock, version: first }: Use, options: RpcOptions): readonly Row[] {
  const row = (version: string, fields: readonly DescField[]): Row => ({
    ...{ clock, version, name: message.typeName },
    print: hash(fields.map(shapeOf).toSorted().join('\n')),
  });
  if (clock === UNVERSIONED) return [row(UNVERSIONED, message.fields)];
  const sinceOf = (field: DescField): string => later(first, options.fieldOf(field).since);
  const versions = new Set([first, ...message.fields.map(sinceOf)]);
  const rows = [...versions].map((version) =>
    row(
      version,
      message.fields.filter((field) => isUpTo(sinceOf(field), version)),
    ),
  );
  const object = options.objectOf(message);
  return object ? [...rows, { clock, version: object.version, name: clock, print: NEWEST }] : rows;
}

/** Which version of each object an entry of the history stands for. */
function historyRows(messages: readonly DescMessage[], options: RpcOptions): readonly Row[] {
  return OBJECT_VERSIONS.flatMap((version) =>
    messages.flatMap((message) => {
      const object = options.objectOf(message);
      if (!object) return [];
      const known = objectVersionFor(versionOf(version), object.name);
      const print = known ? `${known.major}.${known.minor}` : object.version;
      return [{ clock: HISTORY, version, name: message.typeName, print }];
    }),
  );
}

/** What peers of another age must agree on. */
function shapeOf(field: DescField): string {
  const { number, name, proto, oneof } = field;
  return [number, name, proto.type, proto.typeName, proto.label, proto.proto3Optional, oneof?.name ?? ''].join(' ');
}

function values(desc: DescEnum): string {
  return desc.values.map(({ number, name }) => `${number} ${name}`).join('\n');
}

function hash(shape: string): string {
  return createHash('sha256').update(shape).digest('hex').slice(0, 12);
}

/** What two APIs use, or an object, is numbered by neither. */
function earliest(known: Use | undefined, use: Use): Use {
  if (!known) return use;
  if (known.clock !== use.clock) return NOBODY;
  return known === NOBODY || isUpTo(known.version, use.version) ? known : use;
}

function sameUse(a: Use, b: Use): boolean {
  return a.clock === b.clock && a.version === b.version;
}

function later(a: string, b: string): string {
  return b && isUpTo(a, b) ? b : a;
}

function isUpTo(a: string, b: string): boolean {
  return compareVersions(versionOf(a), versionOf(b)) <= 0;
}

function byClock(a: Row, b: Row): number {
  const order = a.clock.localeCompare(b.clock, 'en') || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  return order || (a.clock === UNVERSIONED ? 0 : compareVersions(versionOf(a.version), versionOf(b.version)));
}
