/** The largest page that the API gives. */
export const PAGE_SIZE = 1_000;

/** All pages, one after the other. Ends also where a server gives the same token for ever: its tokens must differ. */
export async function* pagesOf<Page extends { readonly nextPageToken: string }>(
  get: (pageToken: string) => Promise<Page>,
): AsyncGenerator<Page> {
  let pageToken = '';
  do {
    const page = await get(pageToken);
    yield page;
    if (page.nextPageToken === pageToken) return;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}

/** At most `limit` things of all pages; `get` is asked for no more than are missing. */
export async function upTo<T>(
  limit: number,
  get: (
    pageSize: number,
    pageToken: string,
  ) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<readonly T[]> {
  const all: T[] = [];
  const pages = pagesOf((pageToken) => get(Math.min(PAGE_SIZE, limit - all.length), pageToken));
  for await (const { items } of pages) {
    all.push(...items);
    if (all.length >= limit) break;
  }
  return all.slice(0, limit);
}

/** No limit was given. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;
