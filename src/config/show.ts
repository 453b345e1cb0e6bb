import { showBackend } from './backends.js';
import type { LoadedConfig } from './load.js';
import type { Option } from './option.js';
import { SCHEMA } from './schema.js';

/** One line of `config show`. */
export interface ShownOption {
  readonly name: string;
  /** As it would be written in the file, secrets masked; empty when unset. */
  readonly value: string;
  /** Where the value came from. */
  readonly source: string;
}

/** The configuration with every secret masked, one line an option. */
export function redact({ config, sources, backendSources }: LoadedConfig): readonly ShownOption[] {
  const options = Object.entries<Option<unknown>>(SCHEMA).map(([field, option]) => {
    const value = option.show((config as Readonly<Record<string, unknown>>)[field]);
    return {
      name: option.name,
      value: shown(option, value),
      source: sources[field as keyof typeof SCHEMA],
    };
  });
  const backends = config.backends.flatMap((backend) =>
    Object.entries(showBackend(backend)).map(([key, value]) => {
      const name = `backends.${backend.name}.${key}`;
      return { name, value, source: backendSources.get(name) ?? 'default' };
    }),
  );
  return [...options, ...backends];
}

function shown({ isSecret }: Option<unknown>, value: string): string {
  if (isSecret === false || value === '') return value;
  return isSecret === 'in-url' ? maskedUrl(value) : '***';
}

/** A URL keeps what is not secret. */
function maskedUrl(value: string): string {
  if (value.startsWith('sqlite:')) return value;
  try {
    const url = new URL(value);
    if (url.password !== '') url.password = '***';
    for (const key of [...url.searchParams.keys()])
      if (/pass|secret|token/i.test(key)) url.searchParams.set(key, '***');
    return url.href;
  } catch {
    return '***';
  }
}
