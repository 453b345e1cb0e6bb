import { schedulerCalls, schedulerCasts } from '#src/scheduler/manager.js';
import { volumeCalls } from '#src/volume/calls.js';
import { volumeManager } from '#src/volume/manager.js';

/** Handlers are only made, never run: their parts may be anything. */
const PARTS: never = new Proxy(() => undefined, { get: (): unknown => PARTS, apply: (): unknown => PARTS }) as never;

/** The RPCs that a binary has a handler for. Throws for one that has no RPC. */
export function builtMethods(binary: string): ReadonlySet<string> {
  switch (binary) {
    case 'cinder-scheduler':
      return new Set([...schedulerCasts(PARTS).keys(), ...Object.keys(schedulerCalls(PARTS)).map(rpcName)]);
    case 'cinder-volume':
      return new Set([...volumeManager(PARTS).keys(), ...Object.keys(volumeCalls(PARTS)).map(rpcName)]);
    default:
      throw new Error(`${binary} has no handlers`);
  }
}

function rpcName(key: string): string {
  return key.charAt(0).toUpperCase() + key.slice(1);
}
