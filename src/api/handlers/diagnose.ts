import type { DiagnosticsService } from '../../gen/cinder/api/v3/diagnostics.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { diagnosis, type DiagnosisParts } from '../diagnosis.js';

/** `Diagnostics/Diagnose`. Throws InvalidInput; while it goes on TooManyRequests, and what keeps it from looking. */
export function diagnose(parts: DiagnosisParts): PublicHandler<typeof DiagnosticsService.diagnose> {
  return async ({ subjects }, call) => diagnosis(parts, { subjects, repair: false }, call);
}
