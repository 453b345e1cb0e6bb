import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse, TomlError } from 'smol-toml';

import { backendEnvironment, type BackendOptions, type Given, type ParseFunction, readBackend } from './backends.js';
import { asTable, environmentName, type Option, type Source, type Surroundings } from './option.js';
import { adjusted, broken, doubtful, unasked } from './rules.js';
import { SCHEMA, type Config, type OptionField } from './schema.js';
import { didYouMean } from './suggest.js';

/** Every problem of a configuration, in one message. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/** A configuration and where it came from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly sources: Readonly<Record<OptionField, Source>>;
  /** Of what backends' tables and variables say, by names like `backends.file.path`; the rest are defaults. */
  readonly backendSources: ReadonlyMap<string, Source>;
  /** The file that was read, if there was one. */
  readonly file: string | undefined;
  /** What was put right by itself, for the log. */
  readonly warnings: readonly string[];
}

export interface LoadOptions extends Surroundings {
  /** By the options' names, as text. They win over everything. @default none */
  readonly flags?: Readonly<Record<string, string>>;
  /** Reads a `filter_function` or `goodness_function`. @default they are not looked at */
  readonly parseFunction?: ParseFunction;
}

/** Variables with our prefix that belong to the command line client, not to the configuration. */
const CLIENT_VARIABLES = [
  ...['CINDER_API', 'CINDER_PROJECT_ID', 'CINDER_USER_ID', 'CINDER_ROLES', 'CINDER_TOKEN', 'CINDER_TLS'],
  ...['CINDER_TLS_CA_FILE', 'CINDER_TLS_CLIENT_CERT_FILE', 'CINDER_TLS_CLIENT_KEY_FILE', 'CINDER_TLS_SERVER_NAME'],
] as const;

/** Kubernetes puts such into every container, for each service of its namespace: a service `cinder-api` is no mistake. */
const SERVICE_LINK = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

const NAMES: readonly string[] = Object.values(SCHEMA).map(({ name }) => name);

/**
 * Loads the configuration: defaults < file < environment < flags. The file is `--config`, else `CINDER_CONFIG`, else
 * `<data_dir>/cinder-grpc.toml` where that exists. An empty variable counts as unset. Throws ConfigError with everything
 * that is wrong.
 */
export function loadConfig({
  flags = {},
  parseFunction = () => undefined,
  ...surroundings
}: LoadOptions): LoadedConfig {
  const { environment } = surroundings;
  const problems: string[] = [];
  const problem = (option: string, description: string, source?: Source): void => {
    problems.push(`${option} ${description}${source === undefined || source === 'default' ? '' : ` (${source})`}`);
  };

  const outside = new Map([...fromEnvironment(environment), ...fromFlags(flags)]);
  const file = readFile(configPath(outside, surroundings), problem);
  const given = new Map([...fromTable(file?.table ?? {}, file?.source ?? ''), ...outside]);

  const { config: read, sources } = readOptions(given, surroundings, problem);
  const { config, warnings } = adjusted(read);
  for (const field of ['filterFunction', 'goodnessFunction'] as const) {
    const text = config[field];
    const wrong = text === undefined ? undefined : complaintOf(() => parseFunction(text));
    if (wrong !== undefined) problem(SCHEMA[field].name, wrong, sources[field]);
  }
  const tables = tableOf(file?.table['backends'], 'backends', file, problem);
  const backendSources = new Map<string, Source>();
  const backends = readBackends(config, tables, file, { environment, parseFunction }, problem, backendSources);

  unknownNames(given, environment, config.enabledBackends, problem);
  if (problems.length === 0) for (const { option, description } of broken(config)) problem(option, description);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    config: Object.freeze({ ...config, backends: Object.freeze(backends) }),
    sources,
    backendSources,
    file: file?.path,
    warnings: [
      ...warnings,
      ...doubtful(config),
      ...unasked(config, backends),
      ...unusedTables(tables, config.enabledBackends),
    ],
  };
}

type Problem = (option: string, description: string, source?: Source) => void;

interface ConfigFile {
  readonly path: string;
  readonly source: Source;
  readonly table: Readonly<Record<string, unknown>>;
}

function fromEnvironment(environment: Surroundings['environment']): Map<string, Given> {
  return new Map(
    ['config', ...NAMES].flatMap((name) => {
      const variable = environmentName(name);
      const raw = environment[variable];
      return raw === undefined || raw === '' ? [] : [[name, { raw, source: `environment ${variable}` }]];
    }),
  );
}

function fromFlags(flags: Readonly<Record<string, string>>): Map<string, Given> {
  return new Map(Object.entries(flags).map(([name, raw]) => [name, { raw, source: 'flag' }]));
}

function fromTable(table: Readonly<Record<string, unknown>>, source: Source): Map<string, Given> {
  return new Map(
    Object.entries(table)
      .filter(([name]) => name !== 'backends')
      .map(([name, raw]) => [name, { raw, source }]),
  );
}

/** The file to read and whether it has to be there. */
function configPath(
  outside: ReadonlyMap<string, Given>,
  surroundings: Surroundings,
): { path: string; required: boolean } {
  const named = outside.get('config')?.raw;
  if (typeof named === 'string') return { path: named, required: true };
  const dataDir = outside.get('data_dir')?.raw;
  const folder = typeof dataDir === 'string' ? dataDir : SCHEMA.dataDir.fallback({}, surroundings);
  return { path: join(folder, 'cinder-grpc.toml'), required: false };
}

function readFile({ path, required }: { path: string; required: boolean }, problem: Problem): ConfigFile | undefined {
  const source = `file ${path}`;
  try {
    return { path, source, table: parse(readFileSync(path, 'utf8')) };
  } catch (error) {
    const { code } = error as { code?: string };
    if (!required && code !== undefined && ['ENOENT', 'ENOTDIR'].includes(code)) return undefined;
    problem(path, error instanceof TomlError ? `is not TOML: ${placeOf(error)}` : `cannot be read: ${String(error)}`);
    return undefined;
  }
}

/** The parser's message quotes the lines around a mistake, and with them what is secret: its first line does not. */
function placeOf({ message, line, column }: TomlError): string {
  return `line ${line}, column ${column}: ${message.split('\n', 1)[0]?.replace('Invalid TOML document: ', '') ?? ''}`;
}

function readOptions(
  given: ReadonlyMap<string, Given>,
  surroundings: Surroundings,
  problem: Problem,
): { readonly config: Omit<Config, 'backends'>; readonly sources: Readonly<Record<OptionField, Source>> } {
  const values: Record<string, unknown> = {};
  const sources: Record<string, Source> = {};
  for (const [field, option] of Object.entries<Option<unknown>>(SCHEMA)) {
    const found = given.get(option.name);
    sources[field] = found?.source ?? 'default';
    values[field] = option.fallback(values, surroundings);
    if (found === undefined) continue;
    try {
      values[field] = option.read(found.raw);
    } catch (error) {
      problem(option.name, (error as Error).message, found.source);
    }
  }
  // every field of SCHEMA was set above, by its own option
  return { config: values as Omit<Config, 'backends'>, sources: sources as Record<OptionField, Source> };
}

function readBackends(
  config: Omit<Config, 'backends'>,
  tables: Readonly<Record<string, unknown>>,
  file: ConfigFile | undefined,
  { environment, parseFunction }: Pick<Required<LoadOptions>, 'environment' | 'parseFunction'>,
  problem: Problem,
  sources: Map<string, Source>,
): readonly BackendOptions[] {
  return config.enabledBackends.map((name) => {
    const table = tableOf(tables[name], `backends.${name}`, file, problem);
    const given = fromTable(table, file?.source ?? '');
    for (const [variable, key] of backendEnvironment(name)) {
      const raw = environment[variable];
      if (raw !== undefined && raw !== '') given.set(key, { raw, source: `environment ${variable}` });
    }
    for (const [key, { source }] of given) sources.set(`backends.${name}.${key}`, source);
    return readBackend(name, given, config, problem, parseFunction);
  });
}

function complaintOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A table of no enabled backend is how one is switched off, or a slip of the pen. */
function unusedTables(tables: Readonly<Record<string, unknown>>, enabled: readonly string[]): readonly string[] {
  return Object.keys(tables)
    .filter((name) => !enabled.includes(name))
    .map((name) => `[backends.${name}] is of no enabled backend${didYouMean(name, enabled)}`);
}

function tableOf(
  raw: unknown,
  name: string,
  file: ConfigFile | undefined,
  problem: Problem,
): Readonly<Record<string, unknown>> {
  if (raw === undefined) return {};
  try {
    return asTable(raw);
  } catch (error) {
    problem(name, (error as Error).message, file?.source);
    return {};
  }
}

function unknownNames(
  given: ReadonlyMap<string, Given>,
  environment: Surroundings['environment'],
  backends: readonly string[],
  problem: Problem,
): void {
  for (const [name, { source }] of given) {
    // `config` names the file and cannot be in it
    const isKnown = NAMES.includes(name) || (name === 'config' && !source.startsWith('file '));
    if (!isKnown) problem(name, `is unknown${didYouMean(name, NAMES)}`, source);
  }
  const variables = new Set([
    ...CLIENT_VARIABLES,
    ...['config', ...NAMES].map(environmentName),
    ...backends.flatMap((backend) => [...backendEnvironment(backend).keys()]),
  ]);
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith('CINDER_') || variables.has(variable) || SERVICE_LINK.test(variable)) continue;
    problem(variable, `is unknown${didYouMean(variable, variables)}`, 'environment');
  }
}
