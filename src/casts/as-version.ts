import type { AnyService } from '../rpc/service-definition.js';
import type { Level } from '../rpc/older-form.js';
import { OwnForm } from '../rpc/own-form.js';
import { compatible, parseVersion } from '../rpc/version-number.js';
import type { InternalApi } from '../rpc/versions.js';
import { bytes } from './cast-messages.js';
import type { CastHandler } from './handler.js';

/**
 * The handlers of a process that runs as a version: of an older one the newer methods are not there, and of work that
 * another began it sees what that version would see.
 */
export function asVersion(
  handlers: ReadonlyMap<string, CastHandler>,
  definition: AnyService,
  api: InternalApi,
  own: Level,
): ReadonlyMap<string, CastHandler> {
  const form = new OwnForm(definition, api, own);
  return new Map(
    [...handlers]
      .filter(([name]) => {
        const method = api.methods.get(name);
        return method !== undefined && form.knows(method);
      })
      .map(([name, handler]) => [
        name,
        { ...handler, decode: (args: Uint8Array) => handler.decode(form.seen(name, bytes(args))) },
      ]),
  );
}

/** Whether a process that runs as a version understands all of a payload. What is no version says nothing: its reader finds out. */
export function knowsAs({ rpc }: Level): (payloadVersion: string) => boolean {
  return (payloadVersion) => {
    const needed = parseVersion(payloadVersion);
    return !needed || compatible(rpc, needed);
  };
}
