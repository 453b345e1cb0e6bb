import test from 'ava';
import { page, pageTokens } from '#src/api/page-tokens.js';
import { tokensWith } from '#src/events/tokens.js';

const tokens = tokensWith(Buffer.alloc(32, 1));
const pages = pageTokens(tokens);
const KEY = { createdAt: 1_700_000_000_000, id: '11111111-1111-4111-8111-111111111111' };

test('a token leads back to where its page ended; the first page has none', (t) => {
  t.deepEqual(pages.open('volumes:p', pages.sign('volumes:p', KEY)), KEY);
  t.is(pages.open('volumes:p', ''), undefined);
});

/** Tokens that are not of this list. */
const FOREIGN: Readonly<Record<string, string>> = {
  'of another project': pages.sign('volumes:q', KEY),
  'of another list': pages.sign('messages:p', KEY),
  'for a watch': tokens.sign('watch:p', `${KEY.createdAt} ${KEY.id}`),
  'under another key': pageTokens(tokensWith(Buffer.alloc(32, 2))).sign('volumes:p', KEY),
  'cut short': pages.sign('volumes:p', KEY).slice(0, -1),
  'that is no token': 'x',
  'that is very long': 'x'.repeat(100_000),
  'with other words in it': tokens.sign('page:volumes:p', 'a b'),
};

for (const [what, token] of Object.entries(FOREIGN)) {
  test(`a page token ${what} is refused by name`, (t) => {
    t.throws(() => pages.open('volumes:p', token), { name: 'InvalidInput', message: /page_token/ });
  });
}

test('a page ends where more follows, and the last one says that nothing does', (t) => {
  const rows = [3, 2, 1].map((createdAt) => ({ createdAt, id: `v${createdAt}` }));
  const sign = ({ id }: { readonly id: string }): string => `after ${id}`;
  t.deepEqual(page(rows, 2, sign), { rows: rows.slice(0, 2), nextPageToken: 'after v2' });
  t.deepEqual(page(rows, 3, sign), { rows, nextPageToken: '' });
  t.deepEqual(page([], 3, sign), { rows: [], nextPageToken: '' });
});
