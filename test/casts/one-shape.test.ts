import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { Metadata } from '@grpc/grpc-js';
import test from 'ava';
import { readCreateVolume } from '#src/api/read-create-volume.js';
import {
  createVolumeOnScheduler,
  createVolumeOnVolume,
  readCreateVolumeOnScheduler,
  readCreateVolumeOnVolume,
} from '#src/casts/cast-messages.js';
import { type Claim, finish } from '#src/casts/claim.js';
import { Flow, type Run, type Task } from '#src/flow/flow.js';
import { CreateVolumeRequest } from '#src/gen/cinder/api/v3/volumes.js';
import { authenticated } from '#src/rpc/interceptors/authenticate.js';
import { extractSchedulerSpec } from '#src/scheduler/tasks/extract-scheduler-spec.js';
import { unplacedVolume } from '#src/db/volumes.js';
import { newVolume } from '../support/volumes.js';

/** Only V8 can tell whether it gave two objects one hidden class. */
setFlagsFromString('--allow-natives-syntax');
const haveOneShape = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (a: object, b: object) => boolean;

/** Enough for V8 to have learnt what is made. */
const MANY = 200;

const cast = {
  volume: unplacedVolume(newVolume(), 1),
  filterProperties: { schedulerHints: new Map<string, string>() },
  requestSpec: {
    volumeId: 'v1',
    volumeProperties: { sizeGib: 1, name: 'data', metadata: new Map(), qosSpecs: new Map(), multiattach: false },
    availabilityZones: [],
  },
};
const toScheduler = createVolumeOnScheduler(cast).payload;
const toVolume = createVolumeOnVolume({ ...cast, allowReschedule: true }).payload;
const claim = { resourceType: 'Volume', resourceId: 'v1', epoch: 1, owner: 'o' } as Claim;
const gives: Task<{ n: number }, { twice: number }> = { name: 'T', execute: async ({ n }) => ({ twice: n * 2 }) };
const flow = Flow.named<{ n: number }>('f').step(gives);
const run: Run = {
  ...{ signal: new AbortController().signal, flow: 'f', requestId: '', traceparent: '', projectId: '', resourceId: '' },
};
const authenticator = { authenticate: () => ({ projectId: 'p', userId: 'u', roles: ['member'] }) };
const request = CreateVolumeRequest.fromPartial({ size: 1, name: 'data' });

const MADE: Readonly<Record<string, () => object | undefined | Promise<object>>> = {
  'a request': () => readCreateVolume(request),
  'whom it is made for': () => authenticated(authenticator, new Metadata(), 'req-1'),
  "a scheduler's cast": () => readCreateVolumeOnScheduler(toScheduler),
  'its spec': () => readCreateVolumeOnScheduler(toScheduler).requestSpec,
  'what the spec says of the volume': () => readCreateVolumeOnScheduler(toScheduler).requestSpec?.volumeProperties,
  'the spec that is decided on': async () => (await extractSchedulerSpec().execute({ cast }, run)).spec,
  "a volume service's cast": () => readCreateVolumeOnVolume(toVolume),
  'the end of work': () => finish(claim),
  'what a flow knows': () => flow.run({ n: 1 }),
};

for (const [what, make] of Object.entries(MADE)) {
  test(`${what} has one shape, so that whoever reads it need not look for its fields each time`, async (t) => {
    let [before, last] = [await make(), await make()];
    for (let nth = 0; nth < MANY; nth += 1) [before, last] = [last, await make()];
    if (!before || !last) return t.fail('nothing was made');
    t.not(before, last);
    t.true(haveOneShape(before, last));
  });
}
