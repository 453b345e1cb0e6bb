import type { IncomingCast } from '#src/rpc/casts.js';
import { CLAIMED } from '#src/rpc/casts.js';
import type { ListeningServer } from '#src/rpc/listening-server.js';
import type { AnyMethod, AnyService } from '#src/rpc/service-definition.js';
import { methodNameOf } from '#src/rpc/service-definition.js';
import { versionOf } from '#src/rpc/version-number.js';
import { internalServer, type InternalHandlers } from '#src/rpc/versioned-server.js';
import { internalApiOf, type Rules } from '#src/rpc/versions.js';
import { serviceNameOf } from '#src/rpc/service-definition.js';
import { descriptors, MEBIBYTE, rules } from '../../support/rpc.js';
import { type Api, type Message } from './apis.js';
import { fullMessage } from './full-message.js';

/** A request as a server's handler saw it. */
export interface Arrival {
  readonly method: string;
  /** What it was sent as. */
  readonly version: string;
  readonly bytes: Buffer;
}

/** What arrived, by the request's id. */
export class Arrivals {
  readonly #byRequest = new Map<string, Arrival>();

  note(requestId: string, arrival: Arrival): void {
    this.#byRequest.set(requestId, arrival);
  }

  take(requestId: string): Arrival | undefined {
    const arrival = this.#byRequest.get(requestId);
    this.#byRequest.delete(requestId);
    return arrival;
  }
}

/** The product's own server, which claims every cast and answers every call with everything. Runs as a version; of another major, as that. */
export function productServer(api: Api, version: string, arrivals: Arrivals): Promise<ListeningServer> {
  return internalServer({
    address: '127.0.0.1:0',
    maxMessageBytes: MEBIBYTE,
    descriptors,
    rules: rulesAt(api, version),
    rpcVersion: version,
    definition: api.definition,
    handlers: Object.fromEntries(
      Object.entries(api.definition).map(([key, method]) => [key, recording(method, arrivals)]),
    ),
    casts: {
      deliver: async (casts) => {
        for (const cast of casts) noteCast(cast, arrivals);
        return casts.map(() => CLAIMED);
      },
    },
    report: (error) => console.error(error),
  });
}

/** The rules as they are; for another major as if everything had come with it. */
export function rulesAt(api: Api, text: string): Rules {
  const service = serviceNameOf(api.definition);
  const own = internalApiOf(rules, service);
  const version = versionOf(text);
  if (version.major === own.version.major) return rules;
  const baseline = { ...version, minor: 0 };
  const methods = new Map([...own.methods].map(([name, method]) => [name, { ...method, since: baseline }]));
  return { ...rules, internal: new Map([[service, { ...own, version, baseline, methods }]]) };
}

function recording(method: AnyMethod, arrivals: Arrivals): InternalHandlers<AnyService>[string] {
  const name = methodNameOf(method.path);
  const answer = fullAnswer(method);
  return async (request, { context, version }) => {
    const bytes = method.requestSerialize(request as never);
    arrivals.note(context.requestId, { method: name, version, bytes });
    return answer(request as Message);
  };
}

function noteCast({ method, version, args: bytes, context }: IncomingCast, arrivals: Arrivals): void {
  arrivals.note(context.requestId, { method, version, bytes });
}

/** Everything a method can answer; in the form that was asked for where there are several. */
function fullAnswer(method: AnyMethod): (request: Message) => object {
  const desc = descriptors.registry
    .getService(method.path.split('/')[1] ?? '')
    ?.methods.find(({ name }) => name === methodNameOf(method.path));
  if (!desc) throw new Error(`${method.path} is not declared`);
  const full = method.responseDeserialize(fullMessage(desc.output)) as Message;
  const form = FORMS[desc.name];
  return (request) => (form ? form(full, request) : full);
}

const FORMS: Readonly<Record<string, (full: Message, request: Message) => object>> = {
  GetBackupDevice: ({ backupDeviceInfo }, { asyncCall, wantObjects }) => {
    if (asyncCall) return {};
    return wantObjects ? { backupDeviceInfo } : { backupDeviceDict: DEVICE };
  },
  GetManageableVolumes: ({ manageableVolumes }, { wantObjects }) =>
    wantObjects ? { manageableVolumes, manageableDicts: [] } : { manageableVolumes: [], manageableDicts: [MANAGEABLE] },
  GetManageableSnapshots: ({ manageableSnapshots }, { wantObjects }) =>
    wantObjects
      ? { manageableSnapshots, manageableDicts: [] }
      : { manageableSnapshots: [], manageableDicts: [{ ...MANAGEABLE, source_reference: { key: 'value' } }] },
};

/** As peers say it that know no objects. */
const DEVICE = { backup_device: { id: 'id', size: 1 }, secure_enabled: true, is_snapshot: false };
const MANAGEABLE = {
  reference: { key: 'value' },
  size: 1,
  safe_to_manage: true,
  reason_not_safe: 'reason_not_safe',
  cinder_id: 'cinder_id',
  extra_info: { key: 'value' },
};
