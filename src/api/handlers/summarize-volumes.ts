import type { Store } from '../../db/store.js';
import { summarizeVolumes as summarize } from '../../db/volume-summary.js';
import type { MetadataValues, VolumesService } from '../../gen/cinder/api/v3/volumes.js';
import type { PublicHandler } from '../../rpc/public-server.js';
import { demand } from '../policy.js';
import { projectOf } from '../project-scope.js';

const MAX_PAIRS = 1_000;

/** `Volumes/SummarizeVolumes`. Throws PolicyNotAuthorized. Rule: cinder/api/v3/volumes.py, `summary`. */
export function summarizeVolumes({
  store,
}: {
  readonly store: Store;
}): PublicHandler<typeof VolumesService.summarizeVolumes> {
  return async ({ allProjects }, { context }) => {
    if (allProjects) demand('volume:get_all:all_projects', context);
    const scope = allProjects ? {} : { projectId: projectOf(context, 'all_projects') };
    const { count, sizeGib, pairs } = await summarize(store, { ...scope, maxPairs: MAX_PAIRS });
    const metadata = new Map<string, MetadataValues>();
    for (const { key, value } of pairs) {
      const values = metadata.get(key)?.values;
      if (values) values.push(value);
      else metadata.set(key, { values: [value] });
    }
    return { totalCount: count, totalSize: sizeGib, metadata };
  };
}
