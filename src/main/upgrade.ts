import type { Config } from '../config/schema.js';
import { OWN_SCHEMA, schemaOf } from '../db/migrate.js';
import { PostgresStore } from '../db/postgres-store.js';
import { liveProcesses } from '../db/processes.js';
import { oldestSettlementMs } from '../db/quota-settlements.js';
import { allServices } from '../db/services.js';
import type { Store } from '../db/store.js';
import { payloadForms } from '../db/upgrade-facts.js';
import { type UpgradeFacts, type UpgradeReport, upgradeReport } from '../doctor/upgrade.js';
import { readDescriptors } from '../rpc/descriptors.js';
import { registryIn } from '../rpc/discovery.js';
import { OLDEST_OBJECT_VERSION, ownObjectVersion } from '../rpc/object-history.js';
import { VersionCap } from '../rpc/version-cap.js';
import { versionOf } from '../rpc/version-number.js';
import { type InternalApi, readRules } from '../rpc/versions.js';

/**
 * Looks at the installation whose database the configuration names, and says whether it may be upgraded to this program. Changes
 * nothing. Throws Fault DatabaseUnavailable.
 */
export async function checkUpgrade(config: Config): Promise<UpgradeReport> {
  if (config.databaseUrl.startsWith('sqlite:')) return EMBEDDED;
  const store = new PostgresStore(config.databaseUrl);
  try {
    return upgradeReport(await factsOf(store, config));
  } finally {
    await store.close();
  }
}

/** There is one process: nothing works together with anything. */
const EMBEDDED: UpgradeReport = {
  checks: [
    {
      ...{ check: 'Embedded database', result: 'Success' },
      details: 'It belongs to one process, so that there is no rolling upgrade.',
    },
  ],
  order: [
    'Stop the old program.',
    'Copy its data_dir: an older program may refuse a newer schema.',
    'Start the new one, which migrates by itself.',
  ],
};

async function factsOf(store: Store, config: Config): Promise<UpgradeFacts> {
  const schema = await schemaOf(store);
  const common = {
    ...{ schema, ownSchema: OWN_SCHEMA, pins: config.rpcPins, runsAs: config.rpcVersion },
    ...{ downAfterMs: config.serviceDownTimeMs, serviceTtlMs: config.serviceVersionTtlMs },
    flowDeadlineMs: config.apiFlowDeadlineMs,
  };
  const apis = [...readRules(readDescriptors()).internal.values()];
  if (!schema) return { ...common, binaries: [], services: [], apiHosts: ['-'], work: [], oldestSettlementMs: 0 };
  const live = await liveProcesses(store, { binary: 'cinder-api', downAfterMs: config.serviceDownTimeMs });
  return {
    ...common,
    binaries: await Promise.all(apis.map((api) => explained(store, api, config))),
    services: await allServices(store),
    apiHosts: live.map(({ host }) => host),
    work: await payloadForms(store),
    oldestSettlementMs: await oldestSettlementMs(store),
  };
}

/** As the newest process would see the services of a binary. */
async function explained(store: Store, api: InternalApi, config: Config): Promise<UpgradeFacts['binaries'][number]> {
  const cap = new VersionCap({
    ...{ binary: api.binary, registry: registryIn(store), serviceTtlMs: config.serviceVersionTtlMs },
    own: { rpc: api.version, objects: ownObjectVersion(undefined) },
    oldest: { rpc: api.baseline, objects: versionOf(OLDEST_OBJECT_VERSION) },
  });
  return { api, explanation: await cap.explain() };
}
