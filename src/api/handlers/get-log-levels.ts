import type { ServiceLogLevels, ServicesService } from '../../gen/cinder/api/v3/services.js';
import type { LogLevel } from '../../gen/cinder/objects/v1/log_level.js';
import { getLogLevels as getOurs } from '../../rpc/log-levels.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { askServices, checkWhose, isOurs, type LogLevelParts } from '../logging-services.js';
import { Violations } from '../validation.js';

/**
 * `Services/GetLogLevels`. Of API processes only the one that is asked. Throws InvalidInput, ServiceTooOld.
 * Rule: cinder/api/v3/services.py, `_get_log`.
 */
export function getLogLevels(parts: LogLevelParts): PublicHandler<typeof ServicesService.getLogLevels> {
  return async (whose, { context, deadline, signal }) => {
    const bad = new Violations();
    checkWhose(bad, whose);
    bad.check();
    const request = { prefix: whose.prefix };
    const asked = await askServices(parts, whose, { deadline, signal }, (client, options) =>
      client.getLogLevels(context, request, options),
    );
    const ours = isOurs(parts, whose)
      ? [levelsOf({ binary: 'cinder-api', host: parts.host }, getOurs(parts.logLevels, request).objects)]
      : [];
    return {
      services: [...ours, ...asked.flatMap(({ service, answer }) => (answer ? [levelsOf(service, answer)] : []))],
      unreached: asked.filter(({ answer }) => !answer).map(({ service }) => service),
    };
  };
}

function levelsOf(
  { binary, host }: { readonly binary: string; readonly host: string },
  levels: readonly LogLevel[],
): ServiceLogLevels {
  return { binary, host, levels: new Map(levels.map(({ prefix = '', level = '' }) => [prefix, level])) };
}
