import { listQuotaProjects } from '../db/quota-projects.js';
import type { Store } from '../db/store.js';
import { listVolumeTypeNames } from '../db/volume-types.js';
import { type QuotaDifference, QuotaFigure } from '../gen/cinder/api/v3/quotas.js';
import type { QuotaCheck } from '../quota/check.js';
import type { Difference } from '../quota/differences.js';
import { toPublicName } from '../quota/resources.js';
import type { Deadline } from '../time/deadline.js';
import type { NamePages } from './name-pages.js';
import { Violations } from './validation.js';

export interface CheckProjectsParts {
  readonly store: Store;
  readonly check: QuotaCheck;
  readonly namePages: NamePages;
}

/** Which projects, in the words of the requests. */
export interface WhichProjects {
  readonly projectId: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** What a page of projects has shown; the last two fields as the answers have them. */
export interface CheckedProjects {
  readonly differences: QuotaDifference[];
  readonly projectCount: number;
  readonly nextPageToken: string;
}

/**
 * Compares one project, or a page of all that Redis may know, one after the other; `mend`: and mends them. Throws InvalidInput,
 * QuotaUnavailable: what was mended by then stays so.
 */
export async function checkProjects(
  parts: CheckProjectsParts,
  which: WhichProjects,
  mend: boolean,
  deadline: Deadline,
): Promise<CheckedProjects> {
  const { rows: projects, nextPageToken } = await readPage(parts, which, mend ? 'quotas:sync' : 'quotas:check');
  const differences: QuotaDifference[] = [];
  for (const projectId of projects) {
    const found = await parts.check.run(projectId, { by: 'request', mend }, deadline);
    if (found.length === 0) continue;
    const types = await listVolumeTypeNames(parts.store);
    const names = new Map(types.map(({ id, name }) => [id, name]));
    differences.push(...found.map((each) => differenceView(projectId, each, names)));
  }
  return { differences, projectCount: projects.length, nextPageToken };
}

async function readPage(
  { store, namePages }: CheckProjectsParts,
  { projectId, pageSize, pageToken }: WhichProjects,
  list: string,
): Promise<{ readonly rows: readonly string[]; readonly nextPageToken: string }> {
  const bad = new Violations();
  if (projectId !== '') bad.projectId('project_id', projectId);
  const size = bad.pageSize('page_size', pageSize);
  if (projectId !== '' && pageToken !== '') bad.add('page_token', 'must be empty where a project is named');
  bad.check();
  if (projectId !== '') return { rows: [projectId], nextPageToken: '' };
  const after = namePages.open(list, pageToken) ?? '';
  return namePages.cut(list, await listQuotaProjects(store, { after, limit: size + 1 }), size, (id) => id);
}

const FIGURES: Readonly<Record<Difference['figure'], QuotaFigure>> = {
  'in use': QuotaFigure.IN_USE,
  reserved: QuotaFigure.RESERVED,
  corrupt: QuotaFigure.CORRUPT,
};

function differenceView(
  projectId: string,
  { resource, figure, recorded, inRedis }: Difference,
  typeNames: ReadonlyMap<string, string>,
): QuotaDifference {
  const name = figure === 'corrupt' ? resource : toPublicName(resource, typeNames);
  return { projectId, resource: name, figure: FIGURES[figure], recorded, inRedis };
}
