export { type CinderClient, connect, type ConnectOptions, type TlsOptions } from './connect.js';
export {
  CinderError,
  type ErrorCode,
  type ErrorFacts,
  isCinderError,
  type PreconditionViolation,
  type QuotaViolation,
} from './cinder-error.js';
export type { CallOptions, MutationOptions, Partially, ResponseStream, ServiceClient } from './methods.js';
export { waitForVolume, type WaitOptions } from './wait-for-volume.js';
export { watchVolumes, type WatchOptions } from './watch-volumes.js';
export { Fault } from '../errors/fault.js';
export { type Volume, VolumeStatus, type WatchVolumesResponse } from '../gen/cinder/api/v3/volumes.js';
