/**
 * The product, which dies or stands still at a step of a flow when its parent has told it to: `node --expose-gc server.js SERVICE`, with
 * a channel for messages. Says where it listens once it serves, and at which step it ends, before it does.
 */
import { writeSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { runCli } from '#src/cli/program.js';
import { migrate } from '#src/db/migrate.js';
import type { FlowListener } from '#src/flow/listeners.js';
import { serve } from '#src/main/serve.js';
import { isKillPoint, nameOf } from './kill-points.js';
import { HIT, type Order, type ToParent, type ToServer, UNKNOWN } from './server-messages.js';

const [service = 'all'] = process.argv.slice(2);
let armed: Order | undefined;

const listener: FlowListener = (_run, transition) => {
  if (transition.kind !== 'task' || (transition.state !== 'RUNNING' && transition.state !== 'SUCCESS')) return;
  const { task, state } = transition;
  const name = nameOf({ flow: _run.flow, task, state });
  if (!isKillPoint(name)) say(UNKNOWN, name);
  if (armed?.point !== name) return;
  const { signal } = armed;
  armed = undefined;
  say(HIT, name);
  process.kill(process.pid, signal);
};

process.on('message', (message: ToServer) => {
  if (message !== 'collect garbage') armed = message;
  else {
    globalThis.gc?.();
    tell('collected');
  }
});
// whoever has started it is gone, without having ended it
process.on('disconnect', () => process.exit(1));
process.channel?.unref(); // it must not keep the process from its end

await runCli(['serve', service], {
  environment: process.env,
  hostname: hostname(),
  home: homedir(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
  exit: (code) => process.exit(code),
  serve: async (config, services) => {
    const running = await serve(config, services, { listeners: [listener] });
    tell({ addresses: Object.values(running.addresses) });
    return running;
  },
  migrate,
}).then((code) => process.exit(code));

function tell(message: ToParent): void {
  process.send?.(message);
}

/** At once: what is only queued dies with the process. */
function say(what: string, name: string): void {
  const line = `${what}${name}\n`;
  for (;;) {
    try {
      writeSync(2, line);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
