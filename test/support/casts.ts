import type { Cast } from '#src/gen/cinder/rpc/v1/casts.js';
import { CreateVolumeRequest } from '#src/gen/cinder/scheduler/v3/scheduler_manager.js';
import type { OutgoingCast } from '#src/rpc/cast-client.js';
import { context } from './rpc.js';

/** What a scheduler is asked to make. */
export function request(id: string, more: Partial<CreateVolumeRequest> = {}): CreateVolumeRequest {
  return CreateVolumeRequest.fromPartial({ volume: { id, size: 1, useQuota: true }, ...more });
}

export function bytes(message: CreateVolumeRequest): Buffer {
  return Buffer.from(CreateVolumeRequest.encode(message).finish());
}

/** That request as it travels in `Deliver`. */
export function wireCast(id: string, more: Partial<Cast> = {}): Cast {
  return {
    ...{ resourceType: 'Volume', resourceId: id, epoch: 2, method: 'CreateVolume', version: '3.0', target: '' },
    ...{ args: bytes(request(id)), context: undefined },
    ...more,
  };
}

/** That request as a client takes it from its row. */
export function row(id: string, payload = bytes(request(id)), payloadVersion = '3.0'): OutgoingCast {
  return {
    ...{ resourceType: 'Volume', resourceId: id, epoch: 2, target: null, context },
    message: { binary: 'cinder-scheduler', method: 'CreateVolume', payload, payloadVersion },
  };
}
