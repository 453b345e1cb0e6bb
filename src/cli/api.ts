import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

import type { Command } from 'commander';

import type { CinderClient, TlsOptions } from '../client/connect.js';
import type { CommandContext } from './context.js';
import { explain, isUnanswered, type FieldNames } from './explain.js';
import { callerOf, outputOf, type CallerOptions } from './globals.js';
import { list, record, type OutputOptions, type Row } from './output.js';
import { CommandError, UsageError } from './parts.js';
import { printable } from './printable.js';
import { progressOn, type Progress } from './progress.js';

/** The API while a command works with it. */
export interface Api {
  readonly client: CinderClient;
  /** Of every call: one request id, so that the command can be found in the services' logs; ended by Ctrl-C. */
  readonly call: { readonly requestId: string; readonly signal: AbortSignal };
  readonly progress: Progress;
  readonly output: OutputOptions;
  /** Prints a list. Throws UsageError on an unknown column. */
  printList(rows: readonly Row[], usual: readonly string[], more?: readonly string[]): Promise<void>;
  /** Prints one record. Throws UsageError on an unknown column; `done`: what was done all the same. */
  printRecord(row: Row, done?: string): Promise<void>;
  /** An error in a user's words. */
  explain(error: unknown): string;
}

/** What an action needs beside the API. */
export interface ActionOptions {
  /** What the user typed for the request's fields, where that is not the usual. */
  readonly fields?: FieldNames;
  /** Whether it changes something: then an answer that was not heard leaves it unknown whether it did. */
  readonly changes?: boolean;
}

/**
 * A command's action that works with the API: opened before it, closed after it, its errors explained, ended by a signal.
 * What the action is given is what commander gives it.
 */
export function onApi<Given extends unknown[]>(
  context: CommandContext,
  action: (api: Api, ...given: Given) => Promise<void>,
  options: ActionOptions = {},
): (...given: [...Given, Command]) => Promise<void> {
  return async (...all) => {
    const command = all.at(-1) as Command;
    const given = all.slice(0, -1) as unknown as Given; // commander's last argument is the command itself
    await withApi(context, command, options, (api) => action(api, ...given));
  };
}

/** What a command's wait says when it is interrupted: that the work goes on. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

async function withApi(
  context: CommandContext,
  command: Command,
  { fields = {}, changes = false }: ActionOptions,
  use: (api: Api) => Promise<void>,
): Promise<void> {
  const { parts } = context;
  const caller = callerOf(command, parts);
  const address = caller.api ?? (await context.apiListen(command));
  const { connect, isCinderError } = await import('../client/index.js');
  const requestId = `req-${randomUUID()}`;
  const explained = (error: unknown): string => {
    if (error instanceof CommandError) return error.message; // in a user's words already
    if (!isCinderError(error)) return printable(error instanceof Error ? error.message : String(error));
    const unknown =
      changes && isUnanswered(error) && error.code === 'DEADLINE_EXCEEDED'
        ? 'Whether the request was carried out is not known.\n'
        : '';
    return `${unknown}${explain(error, address, fields)}`;
  };

  const interruption = listen(context);
  const progress = progressOn(parts.stderr);
  const output = outputOf(command);
  const client = connect({ address, ...identityOf(caller), tls: tlsOf(caller), timeoutMs: caller.requestTimeoutMs });
  try {
    await use({
      client,
      progress,
      output,
      call: { requestId, signal: interruption.signal },
      explain: explained,
      printList: async (...args) => context.print(await list(args[0], args[1], output, args[2])),
      async printRecord(row, done) {
        const text = await record(row, output).catch((error: unknown) => {
          throw error instanceof UsageError && done !== undefined ? new UsageError(`${done} ${error.message}`) : error;
        });
        context.print(text);
      },
    });
  } catch (error) {
    progress.end();
    if (error instanceof UsageError || error instanceof CommandError) throw error;
    if (interruption.signal.aborted) {
      const said = error instanceof Interrupted ? error.message : `Interrupted.${changes ? UNKNOWN : ''}`;
      throw new CommandError(said, interruption.exitCode(), { cause: error });
    }
    throw new CommandError(explained(error), 1, { cause: error });
  } finally {
    progress.end();
    interruption.stop();
    client.close();
  }
}

const UNKNOWN = ' Whether the request was carried out is not known.';

/** The first SIGINT or SIGTERM ends what is under way; the second ends the process. */
function listen({ parts: { signals, exit } }: CommandContext): {
  readonly signal: AbortSignal;
  /** What a shell gives a process that the signal ended. */
  exitCode(): number;
  stop(): void;
} {
  const controller = new AbortController();
  let code = 130;
  const on = (exitCode: number) => (): void => {
    if (controller.signal.aborted) exit(exitCode);
    code = exitCode;
    controller.abort();
  };
  const handlers = { SIGINT: on(130), SIGTERM: on(143) } as const;
  for (const [name, handler] of Object.entries(handlers)) signals.on(name, handler);
  return {
    signal: controller.signal,
    exitCode: () => code,
    stop() {
      for (const [name, handler] of Object.entries(handlers)) signals.off(name, handler);
    },
  };
}

function identityOf({ project, user, roles, token }: CallerOptions): {
  readonly project: string | undefined;
  readonly user: string | undefined;
  readonly roles: readonly string[] | undefined;
  readonly token: string | undefined;
} {
  return { project, user, token, roles: roles.length === 0 ? undefined : roles };
}

function tlsOf({ tls, tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName }: CallerOptions): TlsOptions | undefined {
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined)) {
    throw new UsageError('A client certificate needs both --tls-cert-file and --tls-key-file.');
  }
  if (!tls) return undefined;
  return {
    rootCertificates: pem('--tls-ca-file', tlsCaFile),
    certificate: pem('--tls-cert-file', tlsCertFile),
    key: pem('--tls-key-file', tlsKeyFile),
    serverName: tlsServerName,
  };
}

function pem(option: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw new CommandError(`${option}: ${printable((error as Error).message)}`);
  }
  if (!content.includes('-----BEGIN ')) throw new CommandError(`${option}: ${printable(file)} is not PEM.`);
  return content;
}
