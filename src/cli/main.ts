#!/usr/bin/env node
import { homedir, hostname } from 'node:os';

import { runCli } from './program.js';

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // a reader that has seen enough, e.g. `| head`: what is done is done, and its exit code is the command's
    if (error.code !== 'EPIPE') throw error;
  });
}

const exitCode = await runCli(process.argv.slice(2), {
  environment: process.env,
  hostname: hostname(),
  home: homedir(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
  exit: (code) => process.exit(code),
  // loaded when needed: a client's command must not wait for the services' code
  serve: async (config, services, readConfig) =>
    (await import('../main/serve.js')).serve(config, services, { readConfig }),
  migrate: async (url) => (await import('../db/migrate.js')).migrate(url),
});

// what a library left open must not hold the process; stdout may be a slow pipe, so it is waited for
process.exitCode = exitCode;
process.stdout.write('', () => process.exit());
