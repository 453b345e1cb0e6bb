// usage: npm run build && node build/examples/typescript/volumes.js [ADDRESS]    in a project of your own: npm install cinder-grpc
//
// Makes a volume, waits until it is there, changes it, lists it and deletes it.

import { connect, isCinderError, VolumeStatus, waitForVolume } from 'cinder-grpc/client';

const { CREATING, AVAILABLE, DELETING } = VolumeStatus;

const address = process.argv[2] ?? '127.0.0.1:8776';
const project = process.env['CINDER_PROJECT_ID'] ?? 'demo';

// Every call has a deadline, and what is safe to repeat is retried while the service restarts.
const cinder = connect({ address, project, timeoutMs: 30_000 });

try {
  // All that is wrong with a request comes in one answer, field by field.
  await cinder.volumes.createVolume({ size: 0, name: 'x'.repeat(256) }).catch((error: unknown) => {
    if (!isCinderError(error, 'INVALID_INPUT')) throw error;
    for (const { field, description } of error.violations) console.log(`bad: ${field} ${description}`);
  });

  // Answered as soon as it is durably accepted. The client adds an idempotency key: a retry never makes a second volume.
  const { volume } = await cinder.volumes.createVolume({ size: 1, name: 'first', metadata: new Map([['for', 'you']]) });
  const id = volume?.id ?? '';
  console.log(`accepted: ${id}`);

  // No polling: the service tells every change, also over its own restart.
  const made = await waitForVolume(cinder, id, (now) => now?.status !== CREATING);
  if (made?.status !== AVAILABLE) throw new Error(made?.statusReason ?? 'It is gone.');
  console.log(`made: ${made.name ?? ''}, ${made.size} GiB, ${made.status}`);

  const { volumes } = await cinder.volumes.listVolumes({ pageSize: 10 });
  for (const { name, status, metadata } of volumes) console.log(`listed: ${name ?? ''} ${status}`, [...metadata]);

  await cinder.volumes.deleteVolume({ volumeId: id });
  await waitForVolume(cinder, id, (now) => now === undefined || now.status !== DELETING);

  await cinder.volumes.getVolume({ volumeId: id }).catch((error: unknown) => {
    if (!isCinderError(error)) throw error;
    console.log(`gone: ${error.code} ${error.reason}: ${error.message}`);
  });
} finally {
  cinder.close();
}
