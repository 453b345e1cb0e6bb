import { type ServiceRecord, type ServiceSwitch, servicesOf, switchService } from '../db/services.js';
import { Fault } from '../errors/fault.js';
import type { Service } from '../gen/cinder/api/v3/services.js';
import type { ServicesParts } from './handlers/list-services.js';
import type { Keyed } from './idempotency-key.js';
import { type KeyedRequest, setOnce } from './idempotent.js';
import { Violations } from './validation.js';
import { serviceView } from './views/service-view.js';

/** Programs that register services. */
const BINARIES: readonly string[] = ['cinder-scheduler', 'cinder-volume'];

/**
 * Enables or disables a service, and shows it as it is now. Safe to repeat. Throws InvalidInput, ServiceNotFound.
 * Rule: cinder/api/v3/services.py, `_enable`, `_disable_log_reason`.
 */
export async function switchedService<R extends Keyed>(
  { store, downAfterMs }: ServicesParts,
  change: ServiceSwitch,
  { context, method, request }: Pick<KeyedRequest<R>, 'context' | 'method' | 'request'>,
): Promise<Service> {
  const { binary, host, disabledReason } = change;
  const bad = new Violations();
  if (!BINARIES.includes(binary)) bad.add('binary', `must be ${BINARIES.join(' or ')}`);
  bad.text('host', host, 1, 255);
  if (disabledReason !== null) bad.text('disabled_reason', disabledReason, 1, 255);
  const shown = (record: ServiceRecord | undefined): Service => {
    if (!record) throw new Fault('ServiceNotFound', { binary, host });
    return serviceView(record, downAfterMs);
  };
  return setOnce(
    { store, context, method, request, bad },
    async (taken) => shown(await switchService(store, change, taken)),
    async () => shown((await servicesOf(store, binary)).find((record) => record.host === host)),
  );
}
