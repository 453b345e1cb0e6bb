import { readFileSync } from 'node:fs';
import { noAuth } from '../auth/none.js';
import { tokenAuth } from '../auth/tokens.js';
import { readTokens } from '../auth/tokens-file.js';
import type { Log } from '../log/log.js';
import type { Authenticator } from '../rpc/interceptors/authenticate.js';
import type { Foundation } from './foundation.js';
import { configuredFiles } from './live-files.js';

/** Who knows callers, as the configuration says. */
export interface LiveAuthenticator extends Authenticator {
  close(): void;
}

/** Builds it; a tokens file is read again when it changes. Throws an Error when that cannot be read at first. */
export function authenticator({
  config,
  log,
  reloads,
}: Pick<Foundation, 'config' | 'reloads'> & { readonly log: Log }): LiveAuthenticator {
  if (config.authStrategy === 'noauth') return { ...noAuth, close: () => undefined };
  const tokens = configuredFiles({
    name: 'tokens',
    options: ['authTokensFile'],
    files: (now) => [pathIn(now)],
    read: (now) => tokenAuth(readTokens(textOf(pathIn(now)), pathIn(now))),
    ...{ config, log, reloads },
  });
  tokens.watch();
  return {
    authenticate: (headers) => tokens.value.authenticate(headers),
    close: () => tokens.close(),
  };
}

function pathIn({ authTokensFile }: Foundation['config']): string {
  if (authTokensFile === undefined) throw new Error('auth_tokens_file is needed by auth_strategy tokens.');
  return authTokensFile;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`auth_tokens_file: ${path} cannot be read: ${code ?? 'unknown error'}.`, { cause: error });
  }
}
