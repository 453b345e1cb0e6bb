// usage: node scripts/service-config.mjs    writes proto/service_config.json from the built descriptors

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt';
import { format } from 'prettier';

const DESCRIPTORS = new URL('../dist/descriptors.binpb', import.meta.url);
/** Where it is published. */
export const FILE = new URL('../proto/service_config.json', import.meta.url);

const PUBLIC_PACKAGE = 'cinder.api.v3';
/** The longest that the API works on a request, whatever a caller asks. */
const TIMEOUT = '300s';
/** About three seconds in all: the time in which another address, or the same again, answers. */
const RETRY_POLICY = {
  maxAttempts: 5,
  initialBackoff: '0.2s',
  maxBackoff: '5s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
};
/** A client with some hundred calls under way survives that all of them are cut; one that is refused for long stops retrying. */
const RETRY_THROTTLING = { maxTokens: 1000, tokenRatio: 0.5 };

/**
 * How every client should call the public API: all addresses of the service in turn; what is declared safe to repeat is
 * retried, nothing else; no call waits for ever. No hedging: a second copy of a slow call makes a busy service slower.
 * @returns {Promise<string>} JSON
 */
export async function serviceConfig() {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(DESCRIPTORS));
  const files = [...createFileRegistry(set).files].filter(({ proto }) => proto.package === PUBLIC_PACKAGE);
  const services = files.flatMap((file) => file.services).toSorted((a, b) => (a.typeName < b.typeName ? -1 : 1));
  const methods = services.flatMap((service) => service.methods);
  const isSafe = ({ idempotency }) => idempotency === Level.NO_SIDE_EFFECTS || idempotency === Level.IDEMPOTENT;
  const isUnary = ({ methodKind }) => methodKind === 'unary';
  const named = (chosen) => chosen.map((method) => ({ service: method.parent.typeName, method: method.name }));

  const safe = methods.filter(isSafe);
  const config = {
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: [
      { name: named(safe.filter(isUnary)), timeout: TIMEOUT, retryPolicy: RETRY_POLICY },
      { name: named(safe.filter((method) => !isUnary(method))), retryPolicy: RETRY_POLICY },
      { name: services.map(({ typeName }) => ({ service: typeName })), timeout: TIMEOUT },
    ],
    retryThrottling: RETRY_THROTTLING,
  };
  return format(JSON.stringify(config), { parser: 'json', printWidth: 120 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, await serviceConfig());
