import { DiagnosticsService } from '../../gen/cinder/api/v3/diagnostics.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import type { DiagnosisParts } from '../diagnosis.js';
import { diagnose } from '../handlers/diagnose.js';
import { repair } from '../handlers/repair.js';

/** `cinder.api.v3.Diagnostics`, rpc → handler. */
export function diagnostics(parts: DiagnosisParts): PublicService {
  return publicService(DiagnosticsService, { diagnose: diagnose(parts), repair: repair(parts) });
}
