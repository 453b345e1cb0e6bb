import { fileURLToPath } from 'node:url';
import { relative } from 'node:path';

import { Argument } from 'commander';

import type { Config } from '../../config/schema.js';
import { createLog } from '../../log/log.js';
import { loadFor, withConfigOptions } from '../configured.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import type { CliParts, Running, ServiceName } from '../parts.js';

const SERVICES: readonly ServiceName[] = ['api', 'scheduler', 'volume'];
/** Above graceful_shutdown_timeout; then the process ends without having stopped. */
const EXTRA_STOP_MS = 10_000;

/**
 * Makes `serve`: runs services until SIGTERM or SIGINT; a second one ends the process at once. SIGHUP reloads what may
 * change, unless the log goes to a terminal: then it says that the terminal has gone, and ends them.
 */
export const addServeCommand: AddTo = (command, { parts }) => {
  withConfigOptions(command)
    .addArgument(new Argument('[service...]', 'which').choices(['all', ...SERVICES]).default(['all'], 'all'))
    .addHelpText(
      'after',
      `${examples(
        ['serve', 'API, scheduler and volume service in one process'],
        ['serve api scheduler', 'two of them; the volume service runs elsewhere'],
        ['serve --quota-volumes 100', 'with an option of the configuration'],
      )}\n\nEvery option is also one of the file and of the environment: see \`cinder-grpc config show\`.`,
    )
    .action(async (asked: readonly (ServiceName | 'all')[]) => {
      const { config, warnings } = loadFor(command, parts);
      const log = createLog({ level: config.logLevel, format: config.logFormat, stream: parts.stderr });
      for (const warning of warnings) log.warn(warning);

      const told = firstSignal(parts);
      const hangup = heldBack(parts);
      const services = asked.includes('all') ? SERVICES : SERVICES.filter((each) => asked.includes(each));
      const running = await parts.serve(config, services, () => loadFor(command, parts).config);
      hangup.lead(() => void running.reload());
      const { api } = running.addresses;
      if (api !== undefined) parts.stdout.write(firstVolume(api, config));

      log.info('stopping', { signal: await told });
      await stopWithin(running, config.gracefulShutdownTimeoutMs + EXTRA_STOP_MS);
    });
};

/** SIGHUPs: one that comes during the start is acted on after it, instead of ending the process. */
function heldBack({ signals, stderr }: CliParts): { lead(to: () => void): void } {
  let isWaiting = false;
  let act = (): void => void (isWaiting = true);
  if (!isTerminal(stderr)) signals.on('SIGHUP', () => act());
  return {
    lead(to) {
      act = to;
      if (isWaiting) to();
    },
  };
}

function isTerminal(stream: NodeJS.WritableStream): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}

/** The first signal to end. The second ends the process at once, with the code a shell gives it. */
function firstSignal({ signals, stderr, exit }: CliParts): Promise<string> {
  return new Promise((resolve) => {
    let count = 0;
    const told = (signal: string, code: number) => (): void => {
      if (++count > 1) exit(code);
      resolve(signal);
    };
    signals.on('SIGTERM', told('SIGTERM', 143));
    signals.on('SIGINT', told('SIGINT', 130));
    if (isTerminal(stderr)) signals.on('SIGHUP', told('SIGHUP', 129));
  });
}

async function stopWithin(running: Running, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The services did not stop within ${limitMs / 1_000} s.`)), limitMs);
  });
  try {
    await Promise.race([running.stop(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Two commands that make a first volume, to be copied. */
function firstVolume(api: string, config: Config): string {
  const isOpen = config.authStrategy === 'noauth';
  const cli = relative(process.cwd(), fileURLToPath(new URL('../main.js', import.meta.url)));
  const how = transportOf(config);
  return [
    `cinder-grpc answers at ${api}. A first volume, by gRPC or by command:`,
    `  grpcurl ${how.grpcurl} -H '${isOpen ? 'x-project-id: demo' : 'x-auth-token: TOKEN'}' -d '{"size": 1, "name": "first"}' ${api} cinder.api.v3.Volumes/CreateVolume`,
    `  node ${cli} --api ${api}${how.cli} ${isOpen ? '--project demo' : '--token TOKEN'} volume create --size 1 --wait first`,
    '',
  ].join('\n');
}

/** What grpcurl and the command line have to be told of TLS. */
function transportOf({ tlsCertFile, tlsClientCaFile }: Config): { readonly grpcurl: string; readonly cli: string } {
  if (tlsCertFile === undefined) return { grpcurl: '-plaintext', cli: '' };
  if (tlsClientCaFile === undefined) return { grpcurl: '-cacert CA.pem', cli: ' --tls --tls-ca-file CA.pem' };
  return {
    grpcurl: '-cacert CA.pem -cert CERT.pem -key KEY.pem',
    cli: ' --tls --tls-ca-file CA.pem --tls-cert-file CERT.pem --tls-key-file KEY.pem',
  };
}
