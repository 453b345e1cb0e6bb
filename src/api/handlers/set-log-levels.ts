import type { ServicesService } from '../../gen/cinder/api/v3/services.js';
import { LEVEL_WORDS, setLogLevels as setOurs } from '../../rpc/log-levels.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { askServices, checkWhose, isOurs, type LogLevelParts } from '../logging-services.js';
import { Violations } from '../validation.js';

/**
 * `Services/SetLogLevels`. Of API processes only the one that is asked. Throws InvalidInput, ServiceTooOld.
 * Rule: cinder/api/v3/services.py, `_set_log`.
 */
export function setLogLevels(parts: LogLevelParts): PublicHandler<typeof ServicesService.setLogLevels> {
  return async ({ level, ...whose }, { context, deadline, signal }) => {
    const bad = new Violations();
    if (!LEVEL_WORDS.includes(level.toUpperCase())) bad.add('level', `must be one of ${LEVEL_WORDS.join(', ')}`);
    checkWhose(bad, whose);
    bad.check();
    const request = { prefix: whose.prefix, level };
    const asked = await askServices(parts, whose, { deadline, signal }, async (client, options) => {
      await client.setLogLevels(context, request, options);
      return true;
    });
    const ours = isOurs(parts, whose) ? [{ binary: 'cinder-api', host: parts.host }] : [];
    if (ours.length > 0) setOurs(parts.logLevels, request);
    return {
      changed: [...ours, ...asked.filter(({ answer }) => answer).map(({ service }) => service)],
      unreached: asked.filter(({ answer }) => !answer).map(({ service }) => service),
    };
  };
}
