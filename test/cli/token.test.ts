import { Readable } from 'node:stream';
import test from 'ava';
import { readTokens } from '#src/auth/tokens-file.js';
import { cli, type CliResult } from '../support/cli.js';

const TOKEN = 'MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=';

test('token hash prints the line that stands for a token in a tokens file, and not the token', async (t) => {
  for (const end of ['', '\n', '\r\n']) {
    const { code, stdout, stderr } = await hashed(TOKEN + end);
    t.is(code, 0);
    t.is(stderr, '');
    const text = `[[tokens]]\n${stdout}project_id = "p"\nuser_id = "u"\nroles = ["member"]\n`;
    t.is(
      readTokens(text, 'tokens.toml')[0]?.sha256,
      'bf9e5cb7dacfea070688726bc8f50810dd62679f48cb80019c571e53cfe9836e',
    );
    t.false(stdout.includes(TOKEN));
  }
});

test('token hash says when a token may be guessed', async (t) => {
  const { code, stdout, stderr } = await hashed('hunter2');
  t.is(code, 0);
  t.regex(stdout, /^sha256 = "[0-9a-f]{64}"\n$/);
  t.regex(stderr, /has 7 characters; take 32 random bytes/);
  t.false(stderr.includes('hunter2'));
});

for (const [what, text] of [
  ['nothing', '\n'],
  ['two lines', 'one\ntwo\n'],
  ['a blank', 'hunter2 hunter2'],
  ['other letters than ASCII', 'pässword'],
  ['too much', 'x'.repeat(100_000)],
] as const) {
  test(`token hash refuses ${what}, which no request can carry`, async (t) => {
    const { code, stdout, stderr } = await hashed(text);
    t.is(code, 1);
    t.is(stdout, '');
    t.false(stderr.includes(text.trim()) && text.trim() !== '', stderr);
  });
}

function hashed(text: string): Promise<CliResult> {
  return cli(['token', 'hash'], { stdin: Readable.from([Buffer.from(text)]) });
}
