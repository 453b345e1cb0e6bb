import { hashOfToken } from '../../auth/tokens.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { CommandError } from '../parts.js';

/** Shorter ones may be guessed: 32 random bytes are 43 characters of base64. */
const SAFE_LENGTH = 32;
const MAX_LENGTH = 4_096;

/** Adds `token hash`. */
export const addTokenCommands: AddTo = (token, { parts, print }) => {
  token
    .command('hash')
    .description('Read a token from standard input and print what stands for it in a tokens file')
    .addHelpText(
      'after',
      examples(['token hash < token', 'a token never belongs on a command line: process lists show those']),
    )
    .action(async () => {
      const text = tokenIn(await textOf(parts.stdin));
      if (text.length < SAFE_LENGTH) {
        parts.stderr.write(
          `The token has ${text.length} characters; take 32 random bytes: head -c 32 /dev/urandom | base64\n`,
        );
      }
      print(`sha256 = "${hashOfToken(text)}"\n`);
    });
};

/** The token, without the end of its line. Throws CommandError for what no request can carry. */
function tokenIn(text: string): string {
  const token = text.replace(/\r?\n$/, '');
  if (token === '') throw new CommandError('Standard input has no token.');
  // as gRPC's metadata has it: printable ASCII, and no blanks at the ends, which are lost on the way
  if (/^[\x21-\x7e]+$/.test(token) && token.length <= MAX_LENGTH) return token;
  throw new CommandError(`A token has 1 to ${MAX_LENGTH} characters of ASCII, without blanks and line breaks.`);
}

async function textOf(stdin: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += chunk.toString();
    if (text.length > 2 * MAX_LENGTH) break;
  }
  return text;
}
