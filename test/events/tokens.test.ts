import { randomBytes } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { cursorFromText, cursorToText } from '#src/events/cursor.js';
import { tokensWith } from '#src/events/tokens.js';

const tokens = tokensWith(randomBytes(32));

test('a token gives back its text, to the purpose it was made for', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.string({ unit: 'grapheme', maxLength: 100 }), (purpose, text) => {
      t.is(tokens.open(purpose, tokens.sign(purpose, text)), text);
    }),
  );
});

test('a token is worth nothing for another purpose, project or key', (t) => {
  const token = tokens.sign('watch:p1', '5.7');
  t.is(tokens.open('watch:p2', token), undefined);
  t.is(tokens.open('page:volumes:p1', token), undefined);
  t.is(tokensWith(randomBytes(32)).open('watch:p1', token), undefined);
  // the same letters, divided elsewhere
  t.is(tokens.open('watch:p15', tokens.sign('watch:p1', '5.7')), undefined);
});

test('a token that was changed anywhere is refused', (t) => {
  const token = tokens.sign('watch:p1', '5.7');
  const bytes = Buffer.from(token, 'base64url');
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] ?? 0) ^ 1;
    t.is(tokens.open('watch:p1', changed.toString('base64url')), undefined, `byte ${i}`);
  }
});

test('what is no token at all is refused quietly', (t) => {
  for (const text of ['', 'a', '!', token(15), 'x'.repeat(100_000), `${tokens.sign('p', 't')}=`, 'ünïcode']) {
    t.is(tokens.open('p', text), undefined);
  }
  fc.assert(fc.property(fc.string(), (text) => t.is(tokens.open('p', text), undefined)));
});

test('a cursor survives its text, and other texts are no cursor', (t) => {
  t.deepEqual(cursorFromText(cursorToText({ tx: 12, seq: 34 })), { tx: 12, seq: 34 });
  for (const text of ['', '1', '1.', '.1', '-1.2', '1.2.3', '1e3.4', 'a.b'])
    t.is(cursorFromText(text), undefined, text);
});

function token(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
