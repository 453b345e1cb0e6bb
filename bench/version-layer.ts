import { Client, credentials, Metadata, type sendUnaryData, Server, ServerCredentials } from '@grpc/grpc-js';
import { CreateVolumeRequest, SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { readDescriptors } from '#src/rpc/descriptors.js';
import { RPC_SERVER_VERSION, RPC_VERSION } from '#src/rpc/headers.js';
import { VersionGate } from '#src/rpc/interceptors/version.js';
import { withoutFields } from '#src/rpc/message-cut.js';
import { OwnForm } from '#src/rpc/own-form.js';
import { asBytes } from '#src/rpc/service-definition.js';
import type { RawUnaryCall } from '#src/rpc/server-call.js';
import { versionOf } from '#src/rpc/version-number.js';
import { internalApiOf, readRules } from '#src/rpc/versions.js';
import type { Bench } from './bench.js';
import { figure, show } from './support/figures.js';

/** Calls of one side and round; both sides take turns, and who begins changes each round. */
const BATCH = 250;
const ROUNDS = 200;
const WARM_UP = 20;
const CONCURRENCY = 32;

const rules = readRules(readDescriptors());
const api = internalApiOf(rules, 'cinder.scheduler.v3.SchedulerManager');
const { createVolume } = SchedulerManagerService;
const method = api.methods.get('CreateVolume');

/** As the API sends one: a volume with its request spec, and what only newer peers know. */
const REQUEST = CreateVolumeRequest.fromPartial({
  volume: {
    ...{ id: '7f0d3f0e-0000-4000-8000-000000000001', projectId: 'demo', userId: 'demo', size: 1, status: 'creating' },
    ...{ displayName: 'bench', volumeTypeId: '00000000-0000-4000-8000-000000000000', useQuota: true },
    metadata: new Map([['purpose', 'bench']]),
  },
  requestSpec: { volumeId: '7f0d3f0e-0000-4000-8000-000000000001', availabilityZones: ['nova'] },
  filterProperties: {},
  backupId: '7f0d3f0e-0000-4000-8000-000000000002',
});

/** Whom the layer is measured with: what the records say of the receiver, and what it runs as. */
const PEERS = [
  { name: 'peers of one version', rpc: '3.12', objects: '1.39' },
  { name: 'a receiver of 3.9 with objects 1.38', rpc: '3.9', objects: '1.38' },
] as const;

/** One way to call, closed when it is done with. */
interface Side {
  call(): Promise<void>;
  close(): void;
}

/** What the version layer costs a call in processor time, both sides together: the same call with it and without, in turns. */
export const versionLayer: Bench = {
  name: 'version-layer',
  about: 'CPU that the version layer costs a call, client and server together, over real gRPC',

  async run(report) {
    for (const { name, rpc, objects } of PEERS) {
      const [plain, layered] = [await plainSide(), await layeredSide(rpc, objects)];
      const sides = [plain, layered];
      const cpu = new Map(sides.map((side) => [side, [] as number[]]));
      try {
        for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
          for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
            const us = await cpuOf(side);
            if (round >= WARM_UP) cpu.get(side)?.push(us);
          }
        }
      } finally {
        for (const side of sides) side.close();
      }
      const [without = [], withLayer = []] = sides.map((side) => cpu.get(side));
      const costs = withLayer.map((us, round) => us - (without[round] ?? NaN));
      report(`${name}: a call without the layer (µs)`, figure(without), show(figure(without), 1));
      report(`${name}: with it (µs)`, figure(withLayer), show(figure(withLayer), 1));
      report(
        `${name}: the layer (µs, at most 10; 2 × ${(ROUNDS * BATCH).toLocaleString('en-US')} calls)`,
        figure(costs),
        show(figure(costs), 1),
      );
    }
  },
};

/** Processor time of this process, µs a call. */
async function cpuOf(side: Side): Promise<number> {
  const before = process.cpuUsage();
  let left = BATCH;
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left-- > 0) await side.call();
    }),
  );
  const { user, system } = process.cpuUsage(before);
  return (user + system) / BATCH;
}

/** Without the layer: the message is encoded, sent, decoded. */
async function plainSide(): Promise<Side> {
  return sideOf(
    (raw, respond) => {
      createVolume.requestDeserialize(raw.request);
      respond(null, NOTHING);
    },
    async (send) => send(REQUEST, new Metadata()),
  );
}

/** With it: cap, form and version of the message at the sender; gate, cut and the version served at the receiver. */
async function layeredSide(rpc: string, objects: string): Promise<Side> {
  if (!method) throw new Error('there is no CreateVolume');
  const services = [{ host: 'one', rpcVersion: rpc, objectVersion: objects, silentMs: 0 }];
  const client = new SchedulerClient({
    rules,
    registry: { versionsOf: async () => services },
    readPeers: async () => [],
    maxMessageBytes: 1_048_576,
  });
  const gate = new VersionGate(versionOf(rpc));
  // whoever is really old has nothing to leave out
  const form = new OwnForm(SchedulerManagerService, api, client.own);
  const { unseen } = form.cutsOf(method.name);
  const side = await sideOf(
    (raw, respond) => {
      gate.requireSupported(raw.metadata, method.path);
      if (!form.knows(method)) throw new Error('it knows CreateVolume');
      const request = createVolume.requestDeserialize(raw.request);
      if (unseen) withoutFields(request, unseen);
      const headers = new Metadata();
      headers.set(RPC_SERVER_VERSION, gate.served);
      raw.sendMetadata(headers);
      respond(null, NOTHING);
    },
    async (send) => {
      const { message, version } = await client.prepare('CreateVolume', REQUEST);
      const metadata = new Metadata();
      metadata.set(RPC_VERSION, version);
      await send(message, metadata);
    },
  );
  return {
    call: () => side.call(),
    close: () => {
      side.close();
      client.close();
    },
  };
}

const NOTHING = Buffer.alloc(0);

type Send = (request: CreateVolumeRequest, metadata: Metadata) => Promise<void>;

/** A server and a client of it in this process. */
async function sideOf(
  handle: (raw: RawUnaryCall, respond: sendUnaryData<Buffer>) => void,
  call: (send: Send) => Promise<void>,
): Promise<Side> {
  const server = new Server();
  server.addService({ createVolume: asBytes(createVolume) }, { createVolume: handle });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const send: Send = (request, metadata) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        createVolume.path,
        createVolume.requestSerialize,
        createVolume.responseDeserialize,
        request,
        metadata,
        (error) => {
          if (error) reject(error);
          else resolve();
        },
      );
    });
  return {
    call: () => call(send),
    close: () => {
      client.close();
      server.forceShutdown();
    },
  };
}
