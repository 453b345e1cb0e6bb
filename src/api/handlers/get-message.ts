import type { Store } from '../../db/store.js';
import type { MessagesService } from '../../gen/cinder/api/v3/messages.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { messageView } from '../views/message-view.js';
import { visibleMessage } from '../visible-message.js';

/** `Messages/GetMessage`. Throws InvalidInput, MessageNotFound. */
export function getMessage({ store }: { readonly store: Store }): PublicHandler<typeof MessagesService.getMessage> {
  return async ({ messageId }, { context }) => ({
    message: messageView(await visibleMessage(store, context, messageId)),
  });
}
