import type { QuotaOptions } from '../config/schema.js';
import type { NewSettlement } from '../db/quota-settlements.js';
import { QuotaCheck } from '../quota/check.js';
import type { SnapshotOptions } from '../quota/deltas/snapshot.js';
import { Limits } from '../quota/limits.js';
import { graceMsOf, Quota } from '../quota/quota.js';
import { Rebuild } from '../quota/rebuild.js';
import { loadQuotaScripts } from '../quota/scripts.js';
import { Settlements } from '../quota/settlements.js';
import type { RedisConnection } from '../redis/connection.js';
import { deadlineIn } from '../time/deadline.js';
import type { Foundation } from './foundation.js';
import { quotaObservers } from './observers.js';
import { openRedis } from './redis.js';

/** The quota engine of a process, and the Redis behind it. */
export interface QuotaEngine {
  readonly redis: RedisConnection;
  readonly limits: Limits;
  readonly quota: Quota;
  readonly rebuild: Rebuild;
  readonly check: QuotaCheck;
  /** How the records are added up. */
  readonly sums: SnapshotOptions;
  readonly settlements: Settlements;
  readonly graceMs: number;
  /** Gives back what a release says; best effort, recovery does what is left. */
  readonly release: (release: NewSettlement) => Promise<void>;
  close(): Promise<void>;
}

/** Connects to the configured Redis, or starts a private one. Throws when it cannot be used. */
export async function quotaEngine({ config, log: all, store, telemetry, reloads }: Foundation): Promise<QuotaEngine> {
  const log = all.logger('cinder.quota');
  const observers = quotaObservers(telemetry.metrics);
  const { connection: redis, close } = await openRedis(config, {
    log: all.logger('cinder.redis'),
    reloads,
    ...observers.redis,
  });
  telemetry.metrics.quota.redisUp.from(() => [[redis.usable ? 1 : 0]]);
  telemetry.readiness.add('redis', async () => {
    const trouble = redis.trouble();
    if (trouble !== undefined) return { ready: false, reason: trouble };
    await redis.ping();
    return { ready: true };
  });
  const ttlMs = config.reservationExpireMs;
  const graceMs = graceMsOf(ttlMs);
  const scripts = loadQuotaScripts();
  const limits = new Limits({
    store,
    defaults: defaultLimits(config),
    useDefaultQuotaClass: config.useDefaultQuotaClass,
  });
  const sums = { countSnapshotGib: !config.noSnapshotGbQuota };
  const rebuild = new Rebuild({ redis, scripts, store, graceMs, sums, log, ...observers.rebuild });
  const quota = new Quota({ redis, scripts, limits, rebuild, ttlMs, log, ...observers.quota });
  const check = new QuotaCheck({ redis, scripts, store, rebuild, sums, log, ...observers.check });
  const settlements = new Settlements({ quota, rebuild, store });
  return {
    redis,
    limits,
    quota,
    rebuild,
    check,
    sums,
    settlements,
    graceMs,
    async release(release) {
      await settlements.settle(release, deadlineIn(config.apiFlowDeadlineMs));
    },
    close,
  };
}

function defaultLimits(options: QuotaOptions): ConstructorParameters<typeof Limits>[0]['defaults'] {
  return {
    volumes: options.quotaVolumes,
    gigabytes: options.quotaGigabytes,
    snapshots: options.quotaSnapshots,
    backups: options.quotaBackups,
    backup_gigabytes: options.quotaBackupGigabytes,
    groups: options.quotaGroups,
    per_volume_gigabytes: options.perVolumeSizeLimit,
  };
}
