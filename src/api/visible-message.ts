import { findMessage, type Message } from '../db/messages.js';
import type { Store } from '../db/store.js';
import { Fault } from '../errors/fault.js';
import { type RequestContext, seesEverything } from '../objects/request-context.js';
import { Violations } from './validation.js';

/**
 * The message, if the caller may know of it: of the own project, or any for who sees everything.
 * Throws InvalidInput for a malformed id, MessageNotFound.
 */
export async function visibleMessage(store: Store, context: RequestContext, messageId: string): Promise<Message> {
  const bad = new Violations();
  bad.uuid('message_id', messageId);
  bad.check();
  const { projectId } = context;
  const message = await findMessage(store, { id: messageId, ...(!seesEverything(context) && { projectId }) });
  if (!message) throw new Fault('MessageNotFound', { messageId });
  return message;
}
