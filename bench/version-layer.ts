import { Client, credentials, Metadata, type sendUnaryData, Server, ServerCredentials } from '@grpc/grpc-js';
import { CreateVolumeRequest, SchedulerManagerService } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { readDescriptors } from '#src/rpc/descriptors.js';
import { REQUEST_ID, RPC_SERVER_VERSION, RPC_VERSION } from '#src/rpc/headers.js';
import { VersionGate } from '#src/rpc/interceptors/version.js';
import { OwnForm } from '#src/rpc/own-form.js';
import { asBytes } from '#src/rpc/service-definition.js';
import type { RawUnaryCall } from '#src/rpc/server-call.js';
import { versionOf } from '#src/rpc/version-number.js';
import { internalApiOf, readRules } from '#src/rpc/versions.js';
import type { Bench } from './bench.js';
import { figure, percentile, show } from './support/figures.js';

/** Calls of one side and round; both sides take turns, and who begins changes each round. */
const BATCH = 250;
const ROUNDS = 800;
const WARM_UP = 20;
const CONCURRENCY = 32;
/** Share of the rounds that other programs disturb least: what is left of the difference on a machine with other work. */
const QUIET = 0.1;
/** The layer's own code alone. */
const OWN_CALLS = 50_000;
const OWN_REPEATS = 4;

const rules = readRules(readDescriptors());
const api = internalApiOf(rules, 'cinder.scheduler.v3.SchedulerManager');
const { createVolume } = SchedulerManagerService;

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
      const layer = layerTo(rpc, objects);
      const own = await ownCode(layer);
      const [plain, layered] = [await plainSide(), await layeredSide(layer)];
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
        layer.close();
      }
      const [without = [], withLayer = []] = sides.map((side) => cpu.get(side));
      const costs = withLayer.map((us, round) => us - (without[round] ?? NaN));
      report(`${name}: the layer's own code, in process (µs)`, figure(own), show(figure(own), 1));
      report(`${name}: a call without the layer (µs)`, figure(without), show(figure(without), 1));
      report(`${name}: with it (µs)`, figure(withLayer), show(figure(withLayer), 1));
      const quiet = percentile(withLayer, QUIET) - percentile(without, QUIET);
      report(`${name}: the layer, by the quietest tenth of the rounds (µs)`, figure([quiet]), quiet.toFixed(1));
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

/** Without the layer: the message is encoded, sent, decoded; the answer says which request it was. */
async function plainSide(): Promise<Side> {
  return sideOf(
    (raw, respond) => {
      createVolume.requestDeserialize(raw.request);
      raw.sendMetadata(answerHeaders());
      respond(null, NOTHING);
    },
    async (send) => send(REQUEST, new Metadata()),
  );
}

/** With it, from the same parts as the product's client and server. */
async function layeredSide(layer: Layer): Promise<Side> {
  return sideOf(
    (raw, respond) => {
      layer.receive(raw.metadata);
      createVolume.requestDeserialize(raw.request);
      const headers = answerHeaders();
      layer.answer(headers);
      raw.sendMetadata(headers);
      respond(null, NOTHING);
    },
    async (send) => {
      const metadata = new Metadata();
      await send(await layer.send(metadata), metadata);
    },
  );
}

/** What the version layer does for one call. */
interface Layer {
  /** Cap, form and version of the message, at the sender. */
  send(metadata: Metadata): Promise<CreateVolumeRequest>;
  /** The gate, at the receiver. Whoever is really old has nothing to leave out. */
  receive(metadata: Metadata): void;
  /** The version served, in the answer. */
  answer(headers: Metadata): void;
  close(): void;
}

function layerTo(rpc: string, objects: string): Layer {
  const services = [{ host: 'one', rpcVersion: rpc, objectVersion: objects, silentMs: 0 }];
  const client = new SchedulerClient({
    rules,
    registry: { versionsOf: async () => services },
    readPeers: async () => [],
    maxMessageBytes: 1_048_576,
  });
  const gate = new VersionGate(versionOf(rpc));
  const form = new OwnForm(SchedulerManagerService, api, client.own);
  const method = client.api.methods.get('CreateVolume');
  if (!method) throw new Error('there is no CreateVolume');
  return {
    async send(metadata) {
      const { message, version } = await client.prepare('CreateVolume', REQUEST);
      metadata.set(RPC_VERSION, version);
      return message;
    },
    receive(metadata) {
      gate.requireSupported(metadata, method.path);
      if (!form.knows(method)) throw new Error('it knows CreateVolume');
    },
    answer: (headers) => headers.set(RPC_SERVER_VERSION, gate.served),
    close: () => client.close(),
  };
}

/** Processor time of the layer's own code for one call, µs: nothing is encoded or sent. */
async function ownCode(layer: Layer): Promise<readonly number[]> {
  const costs: number[] = [];
  for (let repeat = 0; repeat <= OWN_REPEATS; repeat += 1) {
    const before = process.cpuUsage();
    for (let call = 0; call < OWN_CALLS; call += 1) {
      const metadata = new Metadata();
      await layer.send(metadata);
      layer.receive(metadata);
      layer.answer(metadata);
    }
    const { user, system } = process.cpuUsage(before);
    if (repeat > 0) costs.push((user + system) / OWN_CALLS);
  }
  return costs;
}

/** The answer's headers without the layer: the request's id. */
function answerHeaders(): Metadata {
  const headers = new Metadata();
  headers.set(REQUEST_ID, 'req-11111111-1111-4111-8111-111111111111');
  return headers;
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
