import type { Message } from '../../db/messages.js';
import type { Message as WireMessage } from '../../gen/cinder/api/v3/messages.js';

/** A user message as the public API shows it. */
export function messageView(message: Message): WireMessage {
  return {
    id: message.id,
    requestId: message.requestId,
    resourceType: message.resourceType,
    resourceId: message.resourceId,
    eventId: message.eventId,
    messageLevel: message.level,
    userMessage: message.text,
    createdAt: new Date(message.createdAt),
    guaranteedUntil: new Date(message.expiresAt),
  };
}
