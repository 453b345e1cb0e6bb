import { MessagesService } from '../../gen/cinder/api/v3/messages.js';
import { type PublicService, publicService } from '../../rpc/public-server.js';
import { deleteMessage } from '../handlers/delete-message.js';
import { getMessage } from '../handlers/get-message.js';
import { listMessages, type ListMessagesParts } from '../handlers/list-messages.js';

/** `cinder.api.v3.Messages`, rpc → handler. */
export function messages(parts: ListMessagesParts): PublicService {
  return publicService(MessagesService, {
    listMessages: listMessages(parts),
    getMessage: getMessage(parts),
    deleteMessage: deleteMessage(parts),
  });
}
