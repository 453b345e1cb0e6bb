import type { Message } from '../../gen/cinder/api/v3/messages.js';
import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import { NO_LIMIT, upTo } from '../pages.js';
import { forEach } from '../for-each.js';
import type { Row } from '../output.js';
import { CommandError } from '../parts.js';
import { count } from '../values.js';

const COLUMNS = [
  ...['ID', 'Event ID', 'Resource Type', 'Resource UUID', 'Message Level', 'User Message'],
  ...['Request ID', 'Created At', 'Guaranteed Until'],
] as const;

/** Adds `message list | show | delete`. */
export const addMessageCommands: AddTo = (message, context) => {
  message
    .command('list')
    .description('List what went wrong after requests had been accepted, newest first')
    .option('--resource <id>', 'only about this volume or other resource', '')
    .option('--limit <count>', 'at most so many [default: all]', count, NO_LIMIT)
    .addHelpText(
      'after',
      examples('message list --limit 10', ['message list -c "Resource UUID" -c "User Message"', 'narrower']),
    )
    .action(onApi(context, listMessages, { fields: { resource_id: '--resource', page_size: '--limit' } }));

  message
    .command('show')
    .description('Show a message')
    .argument('<message>', 'its id')
    .addHelpText('after', examples('message show 7a9c0c8e-0f6b-4d5c-9a31-6f1d6ba1c0f1'))
    .action(onApi(context, showMessage));

  message
    .command('delete')
    .description('Delete messages')
    .argument('<message...>', 'their ids')
    .addHelpText('after', examples('message delete 7a9c0c8e-0f6b-4d5c-9a31-6f1d6ba1c0f1'))
    .action(onApi(context, deleteMessages, { changes: true }));
};

async function listMessages(
  api: Api,
  { resource, limit }: { readonly resource: string; readonly limit: number },
): Promise<void> {
  const messages = await upTo(limit, async (pageSize, pageToken) => {
    const page = await api.client.messages.listMessages({ pageSize, pageToken, resourceId: resource }, api.call);
    return { items: page.messages, nextPageToken: page.nextPageToken };
  });
  await api.printList(messages.map(messageRow), COLUMNS);
}

async function showMessage(api: Api, messageId: string): Promise<void> {
  const { message } = await api.client.messages.getMessage({ messageId }, api.call);
  if (message === undefined) throw new CommandError('The API answered without a message.');
  const row = messageRow(message);
  await api.printRecord(
    Object.fromEntries(COLUMNS.map((column) => [column.toLowerCase().replaceAll(' ', '_'), row[column]])),
  );
}

async function deleteMessages(api: Api, ids: readonly string[]): Promise<void> {
  await forEach(api, ids, 'messages could not be deleted', async (messageId) => {
    await api.client.messages.deleteMessage({ messageId }, api.call);
  });
}

function messageRow(message: Message): Row {
  return {
    ID: message.id,
    'Event ID': message.eventId,
    'Resource Type': message.resourceType,
    'Resource UUID': message.resourceId,
    'Message Level': message.messageLevel,
    'User Message': message.userMessage,
    'Request ID': message.requestId,
    'Created At': message.createdAt,
    'Guaranteed Until': message.guaranteedUntil,
  };
}
