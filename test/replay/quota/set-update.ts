import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { updateQuotaSet } from '#src/api/handlers/update-quota-set.js';
import { allows } from '#src/api/policy.js';
import { limitsOf } from '#src/api/quota-sets.js';
import { findLimits } from '#src/db/quota-limits.js';
import { Fault } from '#src/errors/fault.js';
import { PER_TYPE } from '#src/quota/resources.js';
import { readDescriptors } from '#src/rpc/descriptors.js';
import type { Replay } from '../replay.js';
import { differing, eachOn } from './parts.js';
import type { QuotaCase, State } from './state.js';
import { World } from './world.js';

type Body = Readonly<Record<string, unknown>>;

interface Reason {
  readonly rule: 'bad_keys' | 'range' | 'integer' | 'below_usage';
  readonly key?: string;
  readonly keys?: readonly string[];
  readonly usage?: number;
}

interface Expect {
  readonly status: number;
  readonly quota_set?: Readonly<Record<string, number>>;
  readonly reason?: Reason;
  /** The project's rows afterwards. */
  readonly overrides: Readonly<Record<string, number | null>>;
}

type Case = QuotaCase<State & { readonly admin: boolean; readonly project: string; readonly body: Body }, Expect>;

/** Updates of a project's limits, through the public RPC's own handler. */
export const setUpdates: Replay = {
  kind: 'quota_set_update',
  failing: (cases) =>
    eachOn(cases as readonly Case[], async (parts, one) => {
      const world = await World.of(parts, one.input);
      const before = await rowsOf(world, one.input.project);
      const came = await updated(world, one.input);
      const after = await rowsOf(world, one.input.project);
      switch (one.differs) {
        case 'below-usage-without-own-row': // a limit below the usage is none, whoever had a limit before
          return differing({ status: 400, rows: before }, { status: came.status, rows: after });
        case 'digit-string': // a number in words is the number, as in any JSON of protobuf
          return differing(allNumbers(one.input.body) ? 200 : 400, came.status);
        default:
          return [...compared(one.expect, came), ...differing(one.expect.overrides, after)];
      }
    }),
};

interface Came {
  readonly status: 200 | 400 | 403;
  readonly limits?: ReadonlyMap<string, number>;
  /** Field → what is wrong with it; empty where the request could not be read at all. */
  readonly violations?: ReadonlyMap<string, string>;
}

async function updated(world: World, { admin, project, body }: Case['input']): Promise<Came> {
  const context = {
    requestId: 'req',
    projectId: project,
    userId: 'u',
    roles: [admin ? 'admin' : 'member'],
    traceparent: '',
  };
  if (!allows('volume_extension:quotas:update', context)) return { status: 403 };
  const request = readRequest(project, body);
  if (!request) return { status: 400, violations: new Map() };
  const parts = { store: world.parts.store, limits: world.limits, quota: world.quota };
  if (request.limits.size === 0 && echoes(body))
    return { status: 200, limits: (await limitsOf(parts, project)).limits };
  try {
    const call = { context, deadline: Date.now() + 10_000, signal: new AbortController().signal };
    const { quotaSet } = await updateQuotaSet(parts)(request, call);
    return { status: 200, limits: quotaSet?.limits ?? new Map<string, number>() };
  } catch (error) {
    if (!Fault.is(error, 'InvalidInput')) throw error;
    return { status: 400, violations: new Map(error.facts.violations.map((one) => [one.field, one.description])) };
  }
}

/** Beside the limits in Cinder's body, where we have a field for the project: read by nobody. */
const ECHOED = ['tenant_id', 'id'];

function echoes({ quota_set: set }: Body): boolean {
  return Object.keys(set ?? {}).some((key) => ECHOED.includes(key));
}

/** The request as a client that speaks JSON would send it; undefined: the wire has no such thing. */
function readRequest(projectId: string, { quota_set: set, ...rest }: Body) {
  const limits =
    typeof set === 'object' && set !== null
      ? Object.fromEntries(Object.entries(set).filter(([key]) => !ECHOED.includes(key)))
      : set;
  try {
    const json = { ...rest, project_id: projectId, limits } as JsonValue;
    const message = fromJson(UPDATE, json) as unknown as { readonly limits: Readonly<Record<string, number>> };
    return { projectId, limits: new Map(Object.entries(message.limits)), idempotencyKey: undefined };
  } catch {
    return undefined;
  }
}

const UPDATE = updateRequest();

function updateRequest() {
  const schema = readDescriptors().registry.getMessage('cinder.api.v3.UpdateQuotaSetRequest');
  if (!schema) throw new Error('the descriptors have no UpdateQuotaSetRequest');
  return schema;
}

async function rowsOf(world: World, project: string): Promise<Readonly<Record<string, number | null>>> {
  const names = new Map(
    [...world.typeIds.keys()]
      .flatMap((type) => PER_TYPE.map((resource) => `${resource}_${type}`))
      .map((name) => [world.key(name), name]),
  );
  const { project: rows } = await findLimits(world.parts.store, project);
  return Object.fromEntries(rows.map(({ resource, hardLimit }) => [names.get(resource) ?? resource, hardLimit]));
}

function allNumbers({ quota_set: set }: Body): boolean {
  return Object.values(set ?? {}).every((value) => /^-?\d+$/.test(String(value)));
}

function compared({ status, quota_set: set, reason }: Expect, came: Came): readonly string[] {
  const limits = set && came.limits && Object.fromEntries(came.limits);
  return [...differing({ status, limits: set }, { status: came.status, limits }), ...unnamed(reason, came.violations)];
}

/** Every key that Cinder names must be named by us, among others; what the wire refuses names itself. */
function unnamed(reason: Reason | undefined, violations: Came['violations']): readonly string[] {
  if (!reason || !violations || violations.size === 0) return [];
  const keys = reason.keys ?? [reason.key ?? ''];
  return keys
    .filter((key) => !violations.get(`limits["${key}"]`)?.includes(String(reason.usage ?? '')))
    .map((key) => `${key} is not named: ${JSON.stringify([...violations])}`);
}
