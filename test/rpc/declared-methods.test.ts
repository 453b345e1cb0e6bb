import type { Client } from '@grpc/grpc-js';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import test from 'ava';
import { CastsService, CastOutcome as Wire } from '#src/gen/cinder/rpc/v1/casts.js';
import { Fault } from '#src/errors/fault.js';
import { faultFromServiceError } from '#src/rpc/faults-on-the-wire.js';
import { compareVersions, formatVersion, type Version } from '#src/rpc/version-number.js';
import type { InternalApi, InternalMethod } from '#src/rpc/versions.js';
import { bareClient, callBare, descriptors, rules, schedulerServer } from '../support/rpc.js';
import { volumeServer } from '../support/volume-rpc.js';

const SERVERS = {
  'cinder.scheduler.v3.SchedulerManager': schedulerServer,
  'cinder.volume.v3.VolumeManager': volumeServer,
} as const;

/** A service of which nothing is built, as it is and as each older version. */
for (const [name, server] of Object.entries(SERVERS)) {
  const api = rules.internal.get(name);
  const methods = [...(api?.methods.values() ?? [])];

  test(`${name}: every declared method without work is NOT_BUILT, asked for singly and among casts`, async (t) => {
    const client = bareClient(t, await server(t));
    for (const method of methods) {
      t.is(await ask(client, method, formatVersion(method.since)), 'NOT_BUILT', method.name);
      if (method.durable) t.is(await hand(client, method, formatVersion(method.since)), 'NOT_BUILT', method.name);
      t.is(await ask(client, method, '3.99'), 'UNSUPPORTED_VERSION', method.name);
    }
  });

  test(`${name}: an older version has none of the methods that came later, whichever way they come`, async (t) => {
    for (const version of versionsBefore(api)) {
      const client = bareClient(t, await server(t, { rpcVersion: version }));
      for (const method of methods.filter(({ since }) => minorOf(since) > minorOf(version))) {
        t.is(await ask(client, method, '3.0'), 'NO_SUCH_METHOD', `${method.name} at ${version}`);
        const newer = await ask(client, method, formatVersion(method.since));
        t.is(newer, 'UNSUPPORTED_VERSION', `${method.name} at ${version}`);
        if (method.durable) t.is(await hand(client, method, '3.0'), 'NO_SUCH_METHOD', `${method.name} at ${version}`);
      }
    }
  });
}

/** One version before each that brought a method. */
function versionsBefore(api: InternalApi | undefined): readonly string[] {
  const sinces = [...(api?.methods.values() ?? [])].map(({ since }) => since);
  const later = sinces.filter((since) => api && compareVersions(since, api.baseline) > 0);
  return [...new Set(later.map((since) => `3.${minorOf(since) - 1}`))];
}

function minorOf(version: Version | string): number {
  return Number((typeof version === 'string' ? version : formatVersion(version)).split('.')[1]);
}

/** The reason of the refusal. */
async function ask(client: Client, method: InternalMethod, version: string): Promise<string> {
  const asItIs = (bytes: Buffer): Buffer => bytes;
  const definition = {
    path: method.path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asItIs,
    requestDeserialize: asItIs,
    responseSerialize: asItIs,
    responseDeserialize: asItIs,
  };
  const { error } = await callBare(client, definition, requestOf(method), { 'cinder-rpc-version': version });
  const fault = error && faultFromServiceError(error);
  return fault instanceof Fault ? fault.reason : `answered: ${String(error)}`;
}

async function hand(client: Client, method: InternalMethod, version: string): Promise<string | undefined> {
  const cast = {
    resourceType: method.resource?.type ?? '',
    resourceId: 'r1',
    epoch: 1,
    method: method.name,
    version,
    target: '',
    args: requestOf(method),
    context: undefined,
  };
  const { response } = await callBare(client, CastsService.deliver, { casts: [cast] }, { 'cinder-rpc-version': '3.0' });
  const [result] = response?.results ?? [];
  return result?.outcome === Wire.REFUSED ? result.reason : result?.outcome;
}

/** Nothing but the id of what is changed, where the request holds one. */
function requestOf(method: InternalMethod): Buffer {
  const desc = descriptors.registry.getMessage(method.request.typeName);
  const field = desc?.fields.find(({ localName }) => localName === method.resource?.place.property);
  const writer = new BinaryWriter();
  if (field?.fieldKind === 'scalar') writer.tag(field.number, WireType.LengthDelimited).string('r1');
  else if (field) {
    writer.tag(field.number, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string('r1').join();
  }
  return Buffer.from(writer.finish());
}
