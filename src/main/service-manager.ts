import { execFile } from 'node:child_process';
import type { Log } from '../log/log.js';

/** Whoever started this process and wants to know how it is: systemd, for `Type=notify`. */
export interface ServiceManager {
  /** The process does its work. Begins the watchdog's life signs where the manager asks for them. */
  ready(status: string): Promise<void>;
  /** The process has been told to end. */
  stopping(): Promise<void>;
  close(): void;
}

interface Options {
  /** `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`, `PATH`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly log: Pick<Log, 'warn'>;
}

/** How long a message may take to be handed over, ms. */
const TOLD_WITHIN_MS = 5_000;

/**
 * Speaks sd_notify. Node has no datagram sockets of the unix kind, so the words go through `systemd-notify`, which is
 * wherever `NOTIFY_SOCKET` is: the unit needs `NotifyAccess=all`. A message that cannot be sent is a warning, never a failure.
 * Rule: sd_notify(3), sd_watchdog_enabled(3).
 */
export function serviceManager({ environment, pid, log }: Options): ServiceManager {
  const { NOTIFY_SOCKET: socket, PATH: path } = environment;
  let lifeSigns: NodeJS.Timeout | undefined;
  if (!socket) return { ready: async () => undefined, stopping: async () => undefined, close: () => undefined };

  const tell = (...words: string[]): Promise<void> =>
    new Promise((resolve) => {
      execFile(
        'systemd-notify',
        words,
        { env: { NOTIFY_SOCKET: socket, PATH: path }, timeout: TOLD_WITHIN_MS },
        (error) => {
          if (error) log.warn('the service manager could not be told', { words: words.join(' '), error });
          resolve();
        },
      );
    });
  return {
    async ready(status) {
      await tell('READY=1', `STATUS=${status}`);
      const everyMs = lifeSignsEveryMs(environment, pid);
      if (everyMs !== undefined) lifeSigns = setInterval(() => void tell('WATCHDOG=1'), everyMs).unref();
    },
    stopping: () => tell('STOPPING=1', 'STATUS=stopping'),
    close: () => clearInterval(lifeSigns),
  };
}

/** Half of what the watchdog waits, as its manual asks for. Undefined: no watchdog, or not for this process. */
function lifeSignsEveryMs(
  { WATCHDOG_USEC: usec, WATCHDOG_PID: of }: Options['environment'],
  pid: number,
): number | undefined {
  const waits = Number(usec);
  if (!usec || !(waits > 0) || (of && Number(of) !== pid)) return undefined;
  return Math.max(1, waits / 2_000);
}
