import { applyFenced, type Claim } from '../../casts/claim.js';
import type { Store } from '../../db/store.js';
import type { Task } from '../../flow/flow.js';
import type { Backend } from '../backend.js';
import { volumeCreated } from '../outcomes.js';
import { patiently } from '../patience.js';
import type { VolumeSpec } from './extract-volume-spec.js';

export interface CreateVolumeOnFinishParts {
  readonly store: Store;
  /** Id of the service that answers for a backend. */
  readonly serviceIdOf: (backend: string) => string | undefined;
}

/**
 * The volume becomes `available` and the work is over, in one transaction.
 * Rule: cinder/volume/flows/manager/create_volume.py, CreateVolumeOnFinishTask; docs/protocols.md §W FINISH.
 */
export const createVolumeOnFinish = ({
  store,
  serviceIdOf,
}: CreateVolumeOnFinishParts): Task<{ claim: Claim; backend: Backend; spec: VolumeSpec }> => ({
  name: 'CreateVolumeOnFinish',

  async execute({ claim, backend, spec }, { signal }) {
    const { sharedTargets } = backend.driver.capabilities;
    const made = { serviceId: serviceIdOf(backend.name), sharedTargets, wasLong: spec.type !== 'raw' };
    await patiently(signal, () => applyFenced(store, claim, volumeCreated(claim, made)));
    return {};
  },
});
