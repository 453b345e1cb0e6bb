import test from 'ava';
import { CheckQuotasRequest, QuotasService } from '#src/gen/cinder/api/v3/quotas.js';
import { CreateVolumeRequest, VolumesService } from '#src/gen/cinder/api/v3/volumes.js';
import { ADMIN, answered, type Caller, callerFor, newProject, refused } from '../support/api.js';
import { sharedInstallation } from '../support/installation.js';

const CLIENTS = 64;
const CREATES = 1_000;
const LIMIT = 500;

const installation = sharedInstallation({ CINDER_QUOTA_VOLUMES: String(LIMIT), CINDER_QUOTA_GIGABYTES: '-1' });

test(`of ${CREATES} volumes that ${CLIENTS} clients ask for at once, a limit of ${LIMIT} lets exactly ${LIMIT} be made`, async (t) => {
  t.timeout(180_000);
  const projectId = newProject();
  const callers = Array.from({ length: CLIENTS }, () => callerFor(t, installation(), projectId));
  let asked = 0;
  const made = new Set<string>();
  const refusals: string[] = [];
  const client = async (call: Caller): Promise<void> => {
    while (asked < CREATES) {
      asked += 1;
      const answer = await call(VolumesService.createVolume, CreateVolumeRequest.create({ size: 1, name: `${asked}` }));
      if (answer.error) refusals.push(refused(answer).reason);
      else made.add(answered(answer).volume?.id ?? '');
    }
  };
  await Promise.all(callers.map(client));

  t.is(made.size, LIMIT);
  t.deepEqual(new Set(refusals), new Set(['VOLUME_LIMIT_EXCEEDED']));
  t.is(refusals.length, CREATES - LIMIT);
  const own = installation().client(projectId);
  t.deepEqual(await own.usage(), { volumes: [LIMIT, 0], gigabytes: [LIMIT, 0] });
  const [call] = callers;
  const check = await call?.(QuotasService.checkQuotas, CheckQuotasRequest.create({ projectId }), ADMIN);
  t.deepEqual(check && answered(check).differences, []);
});
