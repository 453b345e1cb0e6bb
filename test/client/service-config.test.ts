import { readFileSync } from 'node:fs';
import { MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { FILE, serviceConfig as published } from '#scripts/service-config.mjs';
import { type ServiceConfig, serviceConfig } from '#src/client/service-config.js';
import { SERVICES } from '#src/client/services.js';
import { readDescriptors } from '#src/rpc/descriptors.js';

const { registry } = readDescriptors();
const METHODS = [...registry.files]
  .filter(({ proto }) => proto.package === 'cinder.api.v3')
  .flatMap(({ services }) => services.flatMap(({ methods }) => methods));

/** `service/method` of everything that a config retries. */
function retried({ methodConfig }: ServiceConfig): readonly string[] {
  const names = methodConfig.flatMap(({ name, retryPolicy }) => (retryPolicy ? name : []));
  return names.map(({ service, method = '*' }) => `${service}/${method}`).toSorted();
}

test('the published service config is what the protos say: npm run gen:service-config', async (t) => {
  t.is(readFileSync(FILE, 'utf8'), await published());
});

test('the published service config retries what is declared safe to repeat, and nothing else', async (t) => {
  const safe = METHODS.filter(
    ({ idempotency }) => idempotency === Level.NO_SIDE_EFFECTS || idempotency === Level.IDEMPOTENT,
  );
  t.true(safe.length > 0 && safe.length < METHODS.length);
  t.deepEqual(
    retried(JSON.parse(await published()) as ServiceConfig),
    safe.map(({ parent, name }) => `${parent.typeName}/${name}`).toSorted(),
  );
});

test('this client retries also what takes an idempotency key, and names no method twice', (t) => {
  const safe = METHODS.filter(
    ({ idempotency, input }) =>
      idempotency !== Level.IDEMPOTENCY_UNKNOWN || input.fields.some(({ name }) => name === 'idempotency_key'),
  );
  t.deepEqual(
    retried(serviceConfig(Object.values(SERVICES))),
    safe.map(({ parent, name }) => `${parent.typeName}/${name}`).toSorted(),
  );
});
