import { randomUUID } from 'node:crypto';
import { formatVersion } from '../rpc/version-number.js';
import { type PresentService, Presence } from '../rpc/presence.js';
import type { Foundation } from './foundation.js';

/** Which run of which binary. */
export interface Present {
  readonly incarnation: string;
  readonly binary: 'cinder-api' | 'cinder-scheduler' | 'cinder-volume';
  /** Where peers reach it, `address:port`. */
  readonly endpoint: string;
  readonly rpcVersion: string;
  readonly services: readonly PresentService[];
}

/**
 * Registers a run and keeps it registered. A process that cannot say that it lives, or whose services a newer run has
 * taken over, must not go on: others take over its work. Then `end` is called. Rule: docs/protocols.md §W PROCESS.
 */
export async function present(
  { config, log, store, scheduler, telemetry }: Foundation,
  { incarnation, binary, endpoint, rpcVersion, services }: Present,
  end: (reason: string) => void,
): Promise<Presence> {
  const objectVersion = formatVersion(scheduler.own.objects);
  /** Older than that must no heartbeat be: others presume the process dead an interval later. */
  const maxSilentMs = config.serviceDownTimeMs - config.reportIntervalMs;
  const presence = new Presence({
    store,
    process: { incarnation, binary, host: config.host, endpoint, rpcVersion, objectVersion },
    services,
    reportIntervalMs: config.reportIntervalMs,
    maxSilentMs,
    newId: randomUUID,
    onTrouble: (error) => {
      if (error === undefined) {
        log.info('heartbeats are written again', { binary });
        return;
      }
      log.warn('a heartbeat was not written', { binary, error });
      if (presence.silentMs > maxSilentMs) end(`${binary} could not write a heartbeat for too long`);
    },
    onReplaced: () => end(`a newer ${binary} has taken over a service of this host`),
  });
  await presence.start();
  telemetry.metrics.work.heartbeatAge.from(() => [[presence.silentMs / 1_000, binary]]);
  return presence;
}
