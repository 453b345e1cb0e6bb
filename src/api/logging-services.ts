import { allServices, isUp, type ServiceRecord } from '../db/services.js';
import { Fault, isFault } from '../errors/fault.js';
import type { LoggingService } from '../gen/cinder/api/v3/services.js';
import { isOfHost } from '../objects/backend-name.js';
import type { LogLevel } from '../gen/cinder/objects/v1/log_level.js';
import type { RequestContext } from '../objects/request-context.js';
import type { LogLevels } from '../rpc/log-levels.js';
import type { SendOptions } from '../rpc/versioned-client.js';
import type { ServicesParts } from './handlers/list-services.js';
import type { Violations } from './validation.js';

/** The part of an RPC client that is used here. */
export interface LogClient {
  setLogLevels(context: RequestContext, request: LogLevel, options: LogCall): Promise<void>;
  getLogLevels(context: RequestContext, request: LogLevel, options: LogCall): Promise<readonly LogLevel[]>;
}

type LogCall = SendOptions & { readonly target: string };

export interface LogLevelParts extends ServicesParts {
  readonly scheduler: LogClient;
  readonly volume: LogClient;
  /** Of this process, which is the API's. */
  readonly logLevels: LogLevels;
  /** `host` of this process. */
  readonly host: string;
}

/** Whose log is meant; empty: everybody's. */
export interface Whose {
  readonly binary: string;
  readonly server: string;
  readonly prefix: string;
}

/** A service, and what its process answered, or why it could not be asked. */
export interface Asked<T> {
  readonly service: LoggingService;
  readonly answer?: T;
}

const BINARIES: readonly string[] = ['cinder-api', 'cinder-scheduler', 'cinder-volume'];
/** A process that says nothing for so long is left out, ms; the others' answers are not lost over it. */
const PATIENCE_MS = 5_000;
/** Processes that are asked at once. */
const AT_ONCE = 32;

/** Adds what is wrong with the fields that say whose log is meant. */
export function checkWhose(bad: Violations, { binary, server, prefix }: Whose): void {
  if (binary !== '' && binary !== '*' && !BINARIES.includes(binary)) {
    bad.add('binary', `must be empty, * or one of ${BINARIES.join(', ')}`);
  }
  bad.text('server', server, 0, 255);
  bad.text('prefix', prefix, 0, 255);
}

/** Whether the log of this API process is meant. */
export function isOurs({ host }: LogLevelParts, { binary, server }: Whose): boolean {
  return (isAny(binary) || binary === 'cinder-api') && (server === '' || server === host);
}

/**
 * Asks the process of each service that is meant and up, once where it stands for several. Throws ServiceTooOld, Cancelled.
 * Rule: cinder/api/v3/services.py, `_log_params_binaries_services`.
 */
export async function askServices<T>(
  parts: LogLevelParts,
  { binary, server }: Whose,
  { deadline, signal }: Pick<SendOptions, 'deadline' | 'signal'>,
  ask: (client: LogClient, options: LogCall) => Promise<T>,
): Promise<readonly Asked<T>[]> {
  const services = (await allServices(parts.store)).filter(
    (service) =>
      isUp(service, parts.downAfterMs) && (isAny(binary) || service.binary === binary) && isAt(service, server),
  );
  const processes = new Map<string, ServiceRecord[]>();
  for (const service of services) {
    processes.set(service.incarnation, [...(processes.get(service.incarnation) ?? []), service]);
  }
  const asked = new Map<string, Omit<Asked<T>, 'service'> & { readonly reason?: string }>();
  const one = async ([incarnation, [first]]: [string, ServiceRecord[]]): Promise<void> => {
    if (!first) return;
    const until = Math.min(deadline ?? Infinity, Date.now() + PATIENCE_MS);
    const client = first.binary === 'cinder-volume' ? parts.volume : parts.scheduler;
    const options = { target: first.host, deadline: until, ...(signal && { signal }) };
    asked.set(incarnation, await ask(client, options).then((answer) => ({ answer }), reasonOf));
  };
  const all = [...processes];
  for (let next = 0; next < all.length; next += AT_ONCE) await Promise.all(all.slice(next, next + AT_ONCE).map(one));
  return services.map(({ binary: of, host, incarnation }) => {
    const { answer, reason } = asked.get(incarnation) ?? {};
    return { service: { binary: of, host, reason }, ...(answer !== undefined && { answer }) };
  });
}

function reasonOf(error: unknown): { readonly reason: string } {
  if (!isFault(error) || Fault.is(error, 'ServiceTooOld') || Fault.is(error, 'Cancelled')) throw error;
  return { reason: error.message };
}

function isAny(binary: string): boolean {
  return binary === '' || binary === '*';
}

/** A host stands for all its backends, a cluster for all its members. */
function isAt({ host, clusterName }: ServiceRecord, server: string): boolean {
  return [host, clusterName ?? host].some((of) => server === '' || isOfHost(of, server));
}
