import test from 'ava';
import { BackendNews } from '#src/scheduler/backend-news.js';

const NOBODY = new Set<string>();
const ALPHA = new Set(['alpha@b']);

test('the first report of a backend is news, later ones are not', (t) => {
  const news = new BackendNews();
  t.true(news.read(ALPHA));
  t.true(news.reported('alpha@b', true));
  t.false(news.reported('alpha@b', true));
  t.false(news.read(ALPHA));
});

test('a backend that was down is news when its heartbeat is back, and when it reports', (t) => {
  const news = new BackendNews();
  news.read(ALPHA);
  news.reported('alpha@b', true);
  t.false(news.read(NOBODY));
  t.true(news.read(ALPHA));
  t.false(news.read(ALPHA));
  t.true(news.reported('alpha@b', true), 'seen as up before its report came');
  t.false(news.reported('alpha@b', true));
});

test('a report of one that the list has not yet is news, and once more when the list has it', (t) => {
  const news = new BackendNews();
  news.read(NOBODY);
  t.true(news.reported('alpha@b', false));
  t.true(news.reported('alpha@b', false));
  t.true(news.read(ALPHA));
  t.false(news.reported('alpha@b', true));
});
