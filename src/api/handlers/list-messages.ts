import { listMessages as readPage } from '../../db/messages.js';
import type { Store } from '../../db/store.js';
import type { MessagesService } from '../../gen/cinder/api/v3/messages.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { page, type PageTokens } from '../page-tokens.js';
import { projectOf } from '../project-scope.js';
import { Violations } from '../validation.js';
import { messageView } from '../views/message-view.js';

export interface ListMessagesParts {
  readonly store: Store;
  readonly pages: PageTokens;
}

/** `Messages/ListMessages`: keyset pages, newest first (AIP-158). Throws InvalidInput. */
export function listMessages(parts: ListMessagesParts): PublicHandler<typeof MessagesService.listMessages> {
  return async ({ pageSize, pageToken, resourceId }, { context }) => {
    const projectId = projectOf(context);
    const bad = new Violations();
    const size = bad.pageSize('page_size', pageSize);
    if (resourceId !== '') bad.uuid('resource_id', resourceId);
    bad.check();
    const list = `messages:${projectId}:${resourceId}`;
    const after = parts.pages.open(list, pageToken);
    const found = await readPage(parts.store, {
      projectId,
      limit: size + 1,
      ...(resourceId !== '' && { resourceId }),
      ...(after && { after }),
    });
    const { rows, nextPageToken } = page(found, size, (last) => parts.pages.sign(list, last));
    return { messages: rows.map(messageView), nextPageToken };
  };
}
