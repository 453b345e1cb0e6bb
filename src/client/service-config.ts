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
  const safe = published.methodConfig.filter(({ retryPolicy }) => retryPolicy !== undefined);
  const isSafe = (service: string, method: string): boolean =>
    safe.some(({ name }) => name.some((one) => one.service === service && one.method === method));

  const keyed = services.flatMap(({ fullName: service, methods }) =>
    Object.values(methods)
      .filter((method) => takesIdempotencyKey(method) && !isSafe(service, method.name))
      .map(({ name: method }) => ({ service, method })),
  );
  return { ...published, methodConfig: [...published.methodConfig, { ...safe[0], name: keyed }] };
}
