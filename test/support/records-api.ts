import type { ExecutionContext } from 'ava';
import { listVolumes } from '#src/api/handlers/list-volumes.js';
import { summarizeVolumes } from '#src/api/handlers/summarize-volumes.js';
import { updateVolume } from '#src/api/handlers/update-volume.js';
import { deleteVolumeMetadata, setVolumeMetadata } from '#src/api/handlers/volume-metadata.js';
import { pageTokens } from '#src/api/page-tokens.js';
import { allows } from '#src/api/policy.js';
import { noAuth } from '#src/auth/none.js';
import type { Store } from '#src/db/store.js';
import { tokensWith } from '#src/events/tokens.js';
import { type Caller, callerFor } from './api.js';
import { volumesServer } from './rpc.js';
import { sqliteStore } from './sql.js';

/** The public API of records on a store of its own, with the policy that users meet. */
export interface RecordsApi {
  readonly store: Store;
  /** Calls as a member of `p1`, unless headers say otherwise. */
  readonly call: Caller;
}

export async function recordsApi(t: ExecutionContext, store?: Store): Promise<RecordsApi> {
  const records = store ?? (await sqliteStore(t));
  const pages = pageTokens(tokensWith(Buffer.alloc(32, 1)));
  const server = await volumesServer(
    t,
    {
      listVolumes: listVolumes({ store: records, pages }),
      summarizeVolumes: summarizeVolumes({ store: records }),
      updateVolume: updateVolume({ store: records }),
      setVolumeMetadata: setVolumeMetadata({ store: records }),
      deleteVolumeMetadata: deleteVolumeMetadata({ store: records }),
    },
    { authenticator: noAuth, policy: { allows } },
  );
  return { store: records, call: callerFor(t, server, 'p1') };
}
