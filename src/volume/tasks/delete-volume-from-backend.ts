import type { VolumePlace } from '../../drivers/driver.js';
import type { Task } from '../../flow/flow.js';
import type { Backend } from '../backend.js';

/**
 * Has the driver destroy the volume; absent is done. Nothing brings it back, so there is no revert.
 * Throws DriverNotInitialized, VolumeBackendAPIException.
 */
export const deleteVolumeFromBackend = (): Task<{ backend: Backend; place: VolumePlace }> => ({
  name: 'DeleteVolumeFromBackend',

  async execute({ backend, place }, { signal }) {
    await backend.driver.deleteVolume(place, { signal, onProgress: () => undefined });
    return {};
  },
});
