import type { ExecutionContext } from 'ava';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { CastsService, DeliverRequest } from '#src/gen/cinder/rpc/v1/casts.js';
import { answered, refused } from '../support/api.js';
import { type Cluster, clusterFor, type ClusterProcess } from '../support/cluster.js';
import { bareClient, callBare } from '../support/rpc.js';
import { postgresTest } from '../support/sql.js';

/** The least that can be configured. */
const BYTES = 65_536;
const LEAST = { CINDER_MAX_INTERNAL_MESSAGE_BYTES: `${BYTES}` };
/** As large as an owner may make it: beyond the least limit, and far below the default. */
const LARGE = new Map(Array.from({ length: 128 }, (_, n) => [`${n}`.padEnd(255, 'k'), 'v'.repeat(255)]));

postgresTest(
  'work whose message is beyond the limit rests beside other work, and is done under a larger one',
  async (t) => {
    t.timeout(240_000);
    const cluster = await clusterFor(t);
    const limited = await started(cluster, LEAST);
    const client = cluster.client(limited.api);
    const { id } = await client.create({ metadata: LARGE });
    await limited.api.wrote(/a cast was not taken yet.*Attempted to send message with a size larger than 65536/);
    await client.available((await client.create()).id);
    t.is((await client.get(id))?.status, VolumeStatus.CREATING);
    for (const service of [limited.scheduler, limited.volume]) await takesNoMore(t, service);
    for (const process of Object.values(limited)) {
      process.child.kill('SIGTERM');
      t.is(await process.ended(), 0);
    }

    const { api } = await started(cluster);
    const again = cluster.client(api);
    t.is((await again.available(id)).metadata.size, LARGE.size);
  },
);

async function started(cluster: Cluster, environment: Readonly<Record<string, string>> = {}) {
  const [api, scheduler, volume] = await Promise.all([
    cluster.start('api', environment),
    cluster.start('scheduler', environment),
    cluster.start('volume', environment),
  ]);
  return { api, scheduler, volume };
}

/** The service refuses what is a byte beyond the limit, and answers what is below. */
async function takesNoMore(t: ExecutionContext, service: ClusterProcess): Promise<void> {
  const client = bareClient(t, service);
  const empty = DeliverRequest.encode(casts(0)).finish().length;
  const deliver = (bytes: number) =>
    callBare(client, CastsService.deliver, casts(bytes), { 'cinder-rpc-version': '3.0' });
  const { code, message } = refused(await deliver(BYTES));
  t.is(code, 'RESOURCE_EXHAUSTED');
  t.regex(message, /^Received message larger than max \(\d+ vs\.? 65536\)$/);
  t.is(answered(await deliver(BYTES - empty - 16)).results[0]?.reason, 'NO_SUCH_METHOD');
}

const casts = (bytes: number) =>
  DeliverRequest.fromPartial({ casts: [{ method: 'No', version: '3.0', args: Buffer.alloc(bytes) }] });
