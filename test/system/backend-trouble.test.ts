import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServicesService, ServiceState } from '#src/gen/cinder/api/v3/services.js';
import { VolumeStatus } from '#src/gen/cinder/api/v3/volumes.js';
import { ADMIN, answered, callerFor } from '../support/api.js';
import { cli } from '../support/cli.js';
import { folderFor } from '../support/folder.js';
import { installationFor, until } from '../support/installation.js';
import { boundAt, mountTest, smallDeviceAt } from '../support/mounts.js';

mountTest(
  'a backend that is full, read-only or gone leaves the work to another, and is used again by itself',
  async (t) => {
    t.timeout(240_000);
    const folder = await folderFor(t);
    // room for a few names: the second kind of full
    const device = await smallDeviceAt(t, join(folder, 'device'), 'size=8g,nr_inodes=24');
    const pool = join(folder, 'volumes', 'big', 'pool');
    const bound = await boundAt(t, device.path, pool);
    const installation = await installationFor(t, {
      ...{ CINDER_ENABLED_BACKENDS: 'big,small', CINDER_BACKENDS_SMALL_CAPACITY_GIB: '1' },
      ...{ CINDER_BACKENDS_BIG_PATH: join(folder, 'volumes', 'big'), CINDER_REPORT_INTERVAL: '1' },
      ...{ CINDER_SERVICE_DOWN_TIME: '4', CINDER_BACKEND_STATS_POLLING_INTERVAL: '3' },
    });
    const client = installation.client('demo', 'admin');
    const call = callerFor(t, installation);
    const placed = async (): Promise<string> => {
      const { host } = await client.available((await client.create()).id);
      return host?.replace(/^node1@(\w+)#pool$/, '$1') ?? '';
    };
    const bigIs = async (state: ServiceState): Promise<void> => {
      await until(async () => {
        const request = { binary: 'cinder-volume', host: 'node1@big' };
        const { services } = answered(await call(ServicesService.listServices, request, ADMIN));
        return services[0]?.state === state ? true : undefined;
      }, `the backend to be ${state}`);
    };
    const first = await client.create();
    t.is((await client.available(first.id)).host, 'node1@big#pool');

    // full
    const names = Array.from({ length: 40 }, (_, index) => join(pool, `name-${index}`));
    for (const name of names) await writeFile(name, '').catch(() => undefined);
    t.is(await placed(), 'small');
    await installation.process.wrote(/no space is left on the device/);
    await bigIs(ServiceState.UP);
    for (const name of names) await rm(name, { force: true });
    t.is(await placed(), 'big');

    // read-only
    bound.setReadOnly(true);
    await bigIs(ServiceState.DOWN);
    await installation.process.wrote(/a backend cannot be used.*node1@big.*EROFS/);
    t.is(await placed(), 'small');
    await client.delete(first.id);
    t.is((await client.get(first.id))?.status, VolumeStatus.DELETING, 'it waits for its backend');
    bound.setReadOnly(false);
    await bigIs(ServiceState.UP);
    await client.gone(first.id);
    t.is(await placed(), 'big');

    // gone, with an empty folder in its place
    bound.unbind();
    await mkdir(pool, { recursive: true });
    await bigIs(ServiceState.DOWN);
    t.is(await placed(), 'small');
    await installation.process.wrote(/none of its 2 volumes is there: is its file system mounted\?/);
    t.deepEqual(await readdir(pool), [], 'nothing was put below where it is mounted');
    bound.bind();
    await bigIs(ServiceState.UP);
    t.is(await placed(), 'big');

    const environment = { CINDER_API: installation.address, CINDER_PROJECT_ID: 'operators', CINDER_ROLES: 'admin' };
    await until(async () => ((await cli(['doctor'], { environment })).code === 0 ? true : undefined), 'all to agree');
    t.is(installation.process.child.exitCode, null);
  },
);
