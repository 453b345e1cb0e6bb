import { Option, type Command } from 'commander';

import { FORMATS, type OutputOptions } from './output.js';
import type { CliParts } from './parts.js';
import { seconds, several } from './values.js';

/** How long an answer may take unless the user says otherwise. */
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;

/** What every command that calls the API knows about the call. Absent: not given. */
export interface CallerOptions {
  /** `host:port`. */
  readonly api: string | undefined;
  readonly project: string | undefined;
  readonly user: string | undefined;
  readonly roles: readonly string[];
  readonly token: string | undefined;
  /** Whether TLS is used: asked for, or implied by a file. */
  readonly tls: boolean;
  readonly tlsCaFile: string | undefined;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly requestTimeoutMs: number;
}

/**
 * An option that may stand before or after a command's name. A command's own option of the same name (`volume type set
 * --project`) takes its place after the name.
 */
class GlobalOption extends Option {}

/** Adds what every command takes, and to commands that call the API also whom to call and as whom. */
export function addGlobals(command: Command, { caller, hidden }: { caller: boolean; hidden: boolean }): Command {
  const taken = new Set(command.options.map(({ long }) => long));
  command.optionsGroup(GLOBAL_HEADING);
  for (const make of [...(caller ? CALLER : []), ...COMMON]) {
    const option = make();
    if (taken.has(option.long)) continue;
    if (hidden) option.hideHelp();
    command.addOption(option);
  }
  return command;
}

/** Heading of these options in the help. */
export const GLOBAL_HEADING = 'Global options:';

/** How to print, as the command line says. */
export function outputOf(command: Command): OutputOptions {
  const given = globalsOf(command);
  return {
    format: (given.get('format') as OutputOptions['format'] | undefined) ?? 'table',
    columns: (given.get('columns') as readonly string[] | undefined) ?? [],
  };
}

/** The file of the configuration, if it is named. */
export function configFileOf(command: Command): string | undefined {
  return globalsOf(command).get('config') as string | undefined;
}

/** Whom to call and as whom: the command line, else the environment. An empty variable counts as unset. */
export function callerOf(command: Command, { environment }: Pick<CliParts, 'environment'>): CallerOptions {
  const given = globalsOf(command);
  const text = (name: string, variable: string): string | undefined =>
    (given.get(name) as string | undefined) ?? (environment[variable] || undefined);
  const tlsCaFile = text('tlsCaFile', 'CINDER_TLS_CA_FILE');
  const tlsCertFile = text('tlsCertFile', 'CINDER_TLS_CLIENT_CERT_FILE');
  const tlsKeyFile = text('tlsKeyFile', 'CINDER_TLS_CLIENT_KEY_FILE');
  const wantsTls = given.get('tls') === true || ['1', 'true'].includes(environment['CINDER_TLS'] ?? '');
  return {
    api: text('api', 'CINDER_API'),
    project: text('project', 'CINDER_PROJECT_ID'),
    user: text('user', 'CINDER_USER_ID'),
    roles: (text('roles', 'CINDER_ROLES') ?? '').split(',').filter((role) => role !== ''),
    token: text('token', 'CINDER_TOKEN'),
    tls: wantsTls || tlsCaFile !== undefined || tlsCertFile !== undefined,
    tlsCaFile,
    tlsCertFile,
    tlsKeyFile,
    tlsServerName: text('tlsServerName', 'CINDER_TLS_SERVER_NAME'),
    requestTimeoutMs: (given.get('requestTimeout') as number | undefined) ?? DEFAULT_REQUEST_TIMEOUT_MS,
  };
}

/** From the whole command line; what stands nearest to the end wins. */
function globalsOf(command: Command): ReadonlyMap<string, unknown> {
  const path: Command[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) path.unshift(each);
  const given = path.flatMap((each) =>
    each.options
      .filter((option) => option instanceof GlobalOption)
      .map((option) => [option.attributeName(), each.getOptionValue(option.attributeName())] as const)
      .filter(([, value]) => value !== undefined),
  );
  return new Map(given);
}

const option =
  (flags: string, description: string, shape: (made: GlobalOption) => Option = (made) => made) =>
  (): Option =>
    shape(new GlobalOption(flags, description));

const CALLER: readonly (() => Option)[] = [
  option('--api <address>', 'API to call, host:port (CINDER_API; else api_listen of the configuration)'),
  option('--project <id>', 'as this project (CINDER_PROJECT_ID)'),
  option('--user <id>', 'as this user (CINDER_USER_ID)'),
  option('--roles <roles>', 'with these roles, comma-separated, where there are no tokens (CINDER_ROLES)'),
  option('--token <token>', 'token; better in the environment, where no process list shows it (CINDER_TOKEN)'),
  option('--tls', 'use TLS, with the authorities that this machine trusts (CINDER_TLS=1)'),
  option('--tls-ca-file <file>', "use TLS, with this authority's certificate, PEM (CINDER_TLS_CA_FILE)"),
  option('--tls-cert-file <file>', 'certificate of this client, PEM (CINDER_TLS_CLIENT_CERT_FILE)'),
  option('--tls-key-file <file>', "the certificate's key, PEM (CINDER_TLS_CLIENT_KEY_FILE)"),
  option('--tls-server-name <name>', "name in the server's certificate, if not the address's (CINDER_TLS_SERVER_NAME)"),
  option('--request-timeout <seconds>', 'how long each answer may take [default: 60]', (made) =>
    made.argParser(seconds),
  ),
];

const COMMON: readonly (() => Option)[] = [
  option('--config <file>', 'configuration file (CINDER_CONFIG)'),
  option('-f, --format <format>', 'table, json, value, csv or yaml [default: table]', (made) => made.choices(FORMATS)),
  option('-c, --columns <column>', 'show this column (repeat for more)', (made) => made.argParser(several)),
];
