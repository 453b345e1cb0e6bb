import type {
  SchedulerManagerService,
  UpdateServiceCapabilitiesRequest,
} from '../../gen/cinder/scheduler/v3/scheduler_manager.js';
import type { InternalHandler } from '../../rpc/versioned-server.js';
import type { Claims } from '../claims.js';
import type { BackupServices } from '../backup-services.js';
import type { Pools } from '../pools.js';
import type { ReportPart, ReportParts } from '../report-parts.js';
import { timeOfReport } from '../report-time.js';

export interface UpdateServiceCapabilitiesParts {
  readonly pools: Pools;
  readonly backups: BackupServices;
  readonly reportParts: ReportParts;
  /** Where capacity claims end that a report includes. Undefined: nobody claims. */
  readonly claims?: Pick<Claims, 'fold'> | undefined;
  /** Now, ms. */
  readonly now: () => number;
  /** Told each backend whose report was taken. */
  readonly onReport: (host: string) => void;
}

/** Takes a backend's report. Rule: cinder/scheduler/manager.py, `update_service_capabilities`. */
export function updateServiceCapabilities(
  parts: UpdateServiceCapabilitiesParts,
): InternalHandler<typeof SchedulerManagerService.updateServiceCapabilities> {
  return async (request) => {
    if (request.serviceName === 'backup') parts.backups.report(request.host, request.capabilities ?? {});
    if (request.serviceName !== 'volume') return {};
    const report = parts.reportParts.add(partOf(request, parts.now()));
    if (!report) return {};
    parts.pools.check(report); // one that is refused ends no claims
    await parts.claims?.fold(report);
    if (parts.pools.report(report)) parts.onReport(report.host);
    return {};
  };
}

function partOf(request: UpdateServiceCapabilitiesRequest, now: number): ReportPart {
  return {
    host: request.host,
    clusterName: request.clusterName ?? null,
    ...timeOfReport(request.timestamp?.getTime(), now),
    // JSON by the wire's own rules
    capabilities: request.capabilities ?? {},
    reportId: request.reportId,
    part: request.part,
    partCount: request.partCount,
    includedClaims: request.includedClaims,
  };
}
