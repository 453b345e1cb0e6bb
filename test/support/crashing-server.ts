/**
 * The product, with a listener that kills its process at one transition of one flow, the first time it is reached:
 * `node crashing-server.js FLOW TASK STATE [SERVICE] [SIGNAL]`. With SIGSTOP it stands still until it gets SIGCONT.
 */
import { homedir, hostname } from 'node:os';
import { runCli } from '#src/cli/program.js';
import { migrate } from '#src/db/migrate.js';
import type { FlowListener } from '#src/flow/listeners.js';
import { serve } from '#src/main/serve.js';

const [flow, task, state, service = 'all', signal = 'SIGKILL'] = process.argv.slice(2);
let isDone = false;

const crash: FlowListener = (run, transition) => {
  if (transition.kind !== 'task' || run.flow !== flow || transition.task !== task || transition.state !== state) return;
  if (isDone) return;
  isDone = true;
  process.kill(process.pid, signal);
};

await runCli(['serve', service], {
  environment: process.env,
  hostname: hostname(),
  home: homedir(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
  exit: (code) => process.exit(code),
  serve: (config, services) => serve(config, services, { listeners: [crash] }),
  migrate,
});
