import { deleteMessage as remove } from '../../db/messages.js';
import { RowCountMismatch, type Store } from '../../db/store.js';
import { Fault } from '../../errors/fault.js';
import { MessagesService } from '../../gen/cinder/api/v3/messages.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { keyOfRequest } from '../idempotency-key.js';
import { idempotent } from '../idempotent.js';
import { Violations } from '../validation.js';
import { visibleMessage } from '../visible-message.js';

/** `Messages/DeleteMessage`. Throws InvalidInput, MessageNotFound. Rule: cinder/api/v3/messages.py, `delete`. */
export function deleteMessage({
  store,
}: {
  readonly store: Store;
}): PublicHandler<typeof MessagesService.deleteMessage> {
  return async (request, { context }) => {
    const bad = new Violations();
    const idempotency = keyOfRequest(MessagesService.deleteMessage, request, bad);
    bad.uuid('message_id', request.messageId);
    bad.check();
    return idempotent(
      { store, context, idempotency },
      async (take) => {
        const { id } = await visibleMessage(store, context, request.messageId);
        try {
          await store.apply([remove(id), ...take(id)]);
        } catch (error) {
          if (error instanceof RowCountMismatch)
            throw new Fault('MessageNotFound', { messageId: id }, { cause: error });
          throw error;
        }
        return {};
      },
      async () => ({}),
    );
  };
}
