import { type QuotaDifference, QuotaFigure } from '../../gen/cinder/api/v3/quotas.js';
import { onApi, type Api } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import type { Row } from '../output.js';
import { pagesOf } from '../pages.js';
import { CommandError } from '../parts.js';

const COLUMNS = ['Project', 'Resource', 'Figure', 'Recorded', 'In Redis'] as const;
/** Projects of a call: it ends well before anybody's patience does. */
const PROJECTS_A_CALL = 200;
const FIELDS = { project_id: '--project' };

/** Adds `quota check | sync`. */
export const addQuotaBooksCommands: AddTo = (quota, context) => {
  quota
    .command('check')
    .description(
      'Compare usage in Redis with the records and change nothing (administrators); exit code 1: they differ',
    )
    .option('--project <id>', 'only this project', '')
    .addHelpText('after', examples('--roles admin quota check', '--roles admin quota check --project demo -f json'))
    .action(onApi(context, checkQuotas, { fields: FIELDS }));

  quota
    .command('sync')
    .description('Compare usage in Redis with the records and mend what differs (administrators)')
    .option('--project <id>', 'only this project', '')
    .option('--dry-run', 'mend nothing: as check', false)
    .addHelpText('after', examples('--roles admin quota sync', '--roles admin quota sync --project demo --dry-run'))
    .action(onApi(context, syncQuotas, { fields: FIELDS, changes: true }));
};

interface Page {
  readonly differences: readonly QuotaDifference[];
  readonly projectCount: number;
  readonly nextPageToken: string;
}

async function checkQuotas(api: Api, { project: projectId }: { readonly project: string }): Promise<void> {
  const found = await compare(api, (pageToken) =>
    api.client.quotas.checkQuotas({ projectId, pageSize: PROJECTS_A_CALL, pageToken }, api.call),
  );
  if (found > 0) throw differs(found);
}

async function syncQuotas(
  api: Api,
  { project: projectId, dryRun }: { readonly project: string; readonly dryRun: boolean },
): Promise<void> {
  const found = await compare(api, (pageToken) =>
    api.client.quotas.syncQuotas({ projectId, dryRun, pageSize: PROJECTS_A_CALL, pageToken }, api.call),
  );
  if (found > 0 && dryRun) throw differs(found);
}

/** Prints what differs, says how far it is, and answers how many figures differ. */
async function compare(api: Api, get: (pageToken: string) => Promise<Page>): Promise<number> {
  const rows: Row[] = [];
  let projectCount = 0;
  for await (const page of pagesOf(get)) {
    projectCount += page.projectCount;
    rows.push(...page.differences.map(differenceRow));
    if (page.nextPageToken !== '') api.progress.say(`${projectCount} projects compared`);
  }
  api.progress.end();
  await api.printList(rows, COLUMNS);
  return rows.length;
}

function differs(count: number): CommandError {
  const figures = count === 1 ? '1 figure differs' : `${count} figures differ`;
  return new CommandError(`${figures} from the records. \`cinder-grpc quota sync\` mends them.`);
}

const FIGURES: Readonly<Record<string, string>> = {
  [QuotaFigure.IN_USE]: 'in use',
  [QuotaFigure.RESERVED]: 'reserved',
  [QuotaFigure.CORRUPT]: 'corrupt',
};

function differenceRow({ projectId, resource, figure, recorded, inRedis }: QuotaDifference): Row {
  return { Project: projectId, Resource: resource, Figure: FIGURES[figure], Recorded: recorded, 'In Redis': inRedis };
}
