import { readFileSync } from 'node:fs';
import { type ServiceDefinition, takesIdempotencyKey } from './methods.js';

/** A gRPC service config (grpc/grpc: doc/service_config.md), as far as ours goes. */
export interface ServiceConfig {
  readonly loadBalancingConfig: readonly object[];
  readonly methodConfig: readonly MethodConfig[];
  readonly retryThrottling: object;
}

interface MethodConfig {
  readonly name: readonly { readonly service: string; readonly method?: string }[];
  /** e.g. `300s`. */
  readonly timeout?: string;
  readonly retryPolicy?: object;
}

/** Published beside the protos, for the clients of every language. */
const PUBLISHED = new URL('../../proto/service_config.json', import.meta.url);

/**
 * The published service config, and retries for the methods that take an idempotency key as well: this client sends a key
 * with each of them. Throws when the file is missing.
 */
export function serviceConfig(services: readonly ServiceDefinition[], file: URL = PUBLISHED): ServiceConfig {
  const published = JSON.parse(readFileSync(file, 'utf8')) as ServiceConfig;
  const isSafe = repeatableBy(published);
  const keyed = services.flatMap(({ fullName: service, methods }) =>
    Object.values(methods)
      .filter((method) => takesIdempotencyKey(method) && !isSafe(service, method.name))
      .map(({ name: method }) => ({ service, method })),
  );
  const safe = published.methodConfig.find(isRetried);
  return { ...published, methodConfig: [...published.methodConfig, { ...safe, name: keyed }] };
}

/** Whether a config lets an RPC be retried. */
export function repeatableBy({ methodConfig }: ServiceConfig): (service: string, method: string) => boolean {
  const names = methodConfig.filter(isRetried).flatMap(({ name }) => name);
  const repeatable = new Set(names.map(({ service, method = '' }) => `${service}/${method}`));
  return (service, method) => repeatable.has(`${service}/${method}`);
}

function isRetried({ retryPolicy }: MethodConfig): boolean {
  return retryPolicy !== undefined;
}
