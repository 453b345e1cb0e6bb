/** A grpc-js server that answers what it knows already: the floor of every figure. Prints `listening ADDRESS`. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { GetVolumeResponse } from '#src/gen/cinder/api/v3/volumes.js';
import { VolumesService, VolumeStatus, Volume } from '#src/gen/cinder/api/v3/volumes.js';

const volume = Volume.fromPartial({
  id: '7f0d3f0e-0000-4000-8000-000000000001',
  projectId: 'demo',
  userId: 'demo',
  name: 'bench',
  size: 1,
  status: VolumeStatus.AVAILABLE,
  volumeTypeId: '00000000-0000-4000-8000-000000000000',
  createdAt: new Date(),
});
const answer: GetVolumeResponse = { volume };

const server = new Server();
server.addService(
  { getVolume: VolumesService.getVolume },
  {
    getVolume: (_call: unknown, callback: (error: null, value: GetVolumeResponse) => void) => callback(null, answer),
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`listening 127.0.0.1:${port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
