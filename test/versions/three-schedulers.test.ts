import test, { type ExecutionContext } from 'ava';
import { Fault } from '#src/errors/fault.js';
import { CreateVolumeRequest, PlacementOutcome } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import { Volume } from '#src/gen/cinder/objects/v1/volume.js';
import type { SchedulerClient } from '#src/rpc/clients/scheduler-client.js';
import { compareVersions, versionOf } from '#src/rpc/version-number.js';
import { type InternalMethod, internalApiOf } from '#src/rpc/versions.js';
import { context, Installation, rules, schedulerClient, schedulerServer } from '../support/rpc.js';
import { callByName, SCHEDULER } from './matrix/apis.js';
import { fullMessage } from './matrix/full-message.js';
import { methodOf } from './matrix/outcome.js';

const VERSIONS = ['3.4', '3.9', '3.12'];
const SERVICE = 'cinder.scheduler.v3.SchedulerManager';

/** What came, where it came. */
interface Came {
  readonly server: string;
  readonly method: string;
  readonly version: string;
}

test('among schedulers of three versions everything is said so that each understands it, and more as the old ones leave', async (t) => {
  const installation = new Installation();
  const came: Came[] = [];
  for (const version of VERSIONS) installation.add(await schedulerAt(t, version, came), version, `host-${version}`);
  installation.peers = installation.peers.map((peer) => ({ ...peer, serves: ['host@backend'] }));
  const client = schedulerClient(t, installation, { capMaxAgeMs: 600_000 });

  for (const oldest of VERSIONS) {
    client.reset();
    const present = VERSIONS.slice(VERSIONS.indexOf(oldest));
    for (const method of internalApiOf(rules, SERVICE).methods.values()) {
      came.length = 0;
      const isKnown = compareVersions(method.since, versionOf(oldest)) <= 0;
      const asked = await ask(client, method, present.length);
      const what = `${method.name} while the oldest is ${oldest}`;
      if (isKnown) {
        t.deepEqual(asked, [], what);
        t.deepEqual(
          [...new Set(came.map(({ server }) => server))].toSorted(),
          present.toSorted(),
          `${what} goes to all in turn`,
        );
        const newest = came
          .map(({ version }) => versionOf(version))
          .toSorted(compareVersions)
          .at(-1);
        t.true(newest && compareVersions(newest, versionOf(oldest)) <= 0, `${what} needs nothing newer`);
      } else {
        t.true(
          asked.every((error) => Fault.is(error, 'ServiceTooOld')),
          what,
        );
        t.deepEqual(came, [], `${what} is not sent`);
      }
    }
    installation.services = installation.services.filter(({ rpcVersion }) => rpcVersion !== oldest);
    installation.peers = installation.peers.filter(({ host }) => host !== `host-${oldest}`);
  }
});

test('a volume for a backup is restored whichever scheduler takes it: the request spec says so to the older ones', async (t) => {
  const installation = new Installation();
  const specs: (string | undefined)[] = [];
  for (const version of VERSIONS) {
    const server = await schedulerServer(t, {
      rpcVersion: version,
      casts: {
        deliver: async (casts) =>
          casts.map(({ args }) => {
            const { backupId, requestSpec } = CreateVolumeRequest.decode(args);
            t.is(backupId, undefined);
            specs.push(requestSpec?.backupId);
            return { outcome: 'claimed', reason: '', message: '' } as const;
          }),
      },
    });
    installation.add(server, version);
  }
  const client = schedulerClient(t, installation);
  const request = CreateVolumeRequest.fromPartial({
    ...{ volume: Volume.fromPartial({ id: 'v', size: 1 }), backupId: 'backup' },
    requestSpec: { backupId: 'backup' },
  });
  for (let call = 0; call < VERSIONS.length; call += 1) await client.createVolume(context, request);
  t.deepEqual(specs, ['backup', 'backup', 'backup']);
});

/** Calls a method as often as there are schedulers, a fan-out once; answers the errors. */
async function ask(
  client: SchedulerClient,
  { name, kind }: InternalMethod,
  count: number,
): Promise<readonly unknown[]> {
  const request = SCHEDULER.definition[name.charAt(0).toLowerCase() + name.slice(1)]?.requestDeserialize(
    fullMessage(methodOf(SERVICE, name).input),
  ) as Readonly<Record<string, unknown>>;
  const errors: unknown[] = [];
  if (kind === 'fanout') {
    const { failed } = await client.updateServiceCapabilities(context, request as never);
    return failed;
  }
  for (let call = 0; call < count; call += 1) {
    await callByName(SCHEDULER, client as never, name, context, request).catch((error: unknown) => errors.push(error));
  }
  return errors;
}

async function schedulerAt(t: ExecutionContext, rpcVersion: string, came: Came[]): Promise<{ address: string }> {
  const handlers = new Proxy(
    {},
    {
      get:
        (_, key: string) =>
        async (__: object, { version }: { readonly version: string }) => {
          came.push({ server: rpcVersion, method: key, version });
          return EMPTY;
        },
    },
  );
  return schedulerServer(t, {
    rpcVersion,
    handlers,
    casts: {
      deliver: async (casts) =>
        casts.map(({ method, version }) => {
          came.push({ server: rpcVersion, method, version });
          return { outcome: 'claimed', reason: '', message: '' } as const;
        }),
    },
  });
}

/** Nothing, of every kind. */
const EMPTY = {
  ...{ pools: [], filters: [], silentBackends: [], requested: [], notRequested: [], valid: true },
  ...{ outcome: PlacementOutcome.UNSPECIFIED, summary: '', poolCount: 0 },
};
