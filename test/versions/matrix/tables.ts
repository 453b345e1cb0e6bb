import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { ROOT } from '#scripts/prepare.mjs';
import { type Api, SCHEDULER, VOLUME } from './apis.js';
import { matrixText } from './matrix.js';

/** A table of test/versions, and how it is made anew. */
export interface Table {
  readonly file: string;
  readonly make: (t: Pick<ExecutionContext, 'teardown'>) => Promise<string>;
}

export const SCHEDULER_TABLE = table('scheduler-matrix.txt', SCHEDULER);
export const VOLUME_TABLE = table('volume-matrix.txt', VOLUME);
export const tables: readonly Table[] = [SCHEDULER_TABLE, VOLUME_TABLE];

function table(name: string, api: Api): Table {
  return { file: join(ROOT, 'test/versions', name), make: (t) => matrixText(t, api, head(api)) };
}

function head({ binary }: Api): string {
  return `# How every method of ${binary} fares between a client and a server of every version; written by \`npm run gen:matrix\`.
#
# client C   server S   the client runs as C and knows from the records that the server is S
# thought C  is S       the newest client; the records say C, and go on saying so, while the server is S
# thought C  bare S     the server is made of the protos of S alone, and refuses without a word of what it is; the records were
#                       out of date and are right by then. Left out where it fares as with \`is S\`
# objects V             both the newest, and the server knows objects as entry V of their history
#
# sent as is (V)        everything arrives, as version V
# without, with, as     ... other than between two of the newest
# answered ...          what the caller gets is other than between two of the newest
# healed on retry       refused once, and then taken in the older form
#
# A call says everything that can be said; \`of nothing newer\` only what could be said in the version that brought the method.
# \`delivered\`: from its row, among the casts of \`Deliver\`.
`;
}
