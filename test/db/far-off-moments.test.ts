import { serviceView } from '#src/api/views/service-view.js';
import { liveProcesses } from '#src/db/processes.js';
import { allServices, servicesOf, switchService } from '#src/db/services.js';
import { payloadForms } from '#src/db/upgrade-facts.js';
import { findOrphans, findStranded, oldestUnfinished, takeForSending } from '#src/db/worker-search.js';
import { Service } from '#src/gen/cinder/api/v3/services.js';
import { alive, BACKEND, claimed, readyRow, registered } from '../casts/rows.js';
import { diagnosed, DOWN_MS } from '../doctor/diagnosed.js';
import { breakRow } from '../support/broken-rows.js';
import { storesFor } from '../support/sql.js';

const BINARY = 'cinder-volume';

/** What PostgreSQL can keep, as text: no number says it exactly. */
const FAR_OFF = { first: '-9223372036854775808', last: '9223372036854775807' };

for (const [which, moment] of Object.entries(FAR_OFF)) {
  storesFor(`the ${which} moment there can be, written by hand, fails nothing that reads it`, async (t, store) => {
    await alive(store, 'odd');
    await alive(store, 'sound');
    await registered(store, BACKEND, 'odd');
    await registered(store, 'beta@file', 'sound');
    const [work, waiting] = [await readyRow(store, { work: 'create' }), await readyRow(store, { work: 'create' })];
    await claimed(store, work, 'odd');
    await breakRow(store, 'services', BACKEND, { heartbeat_at: moment });
    await breakRow(store, 'processes', 'odd', { heartbeat_at: moment });
    await breakRow(store, 'workers', work.resourceId, { updated_at: moment, created_at: moment });
    const restless = { not_before: moment, send_until: moment };
    await breakRow(store, 'workers', waiting.resourceId, { ...restless, updated_at: moment, created_at: moment });

    const services = await allServices(store);
    t.deepEqual(
      services.map(({ host }) => host),
      [BACKEND, 'beta@file'],
    );
    for (const service of services) {
      const view = serviceView(service, DOWN_MS);
      t.deepEqual(Service.decode(Service.encode(view).finish()), view);
    }
    t.is((await servicesOf(store, BINARY)).length, 2);
    const change = { binary: BINARY, host: BACKEND, disabled: true, disabledReason: null };
    t.like(await switchService(store, change), { host: BACKEND });
    await liveProcesses(store, { binary: BINARY, downAfterMs: DOWN_MS });
    t.is((await diagnosed(store)).examined['work'], 2);
    t.is((await oldestUnfinished(store)).length, 1);
    t.is((await payloadForms(store)).length, 1);
    const query = { downAfterMs: DOWN_MS, limit: 10 };
    const orphans = await findOrphans(store, { ...query, binary: BINARY, owner: 'sound' });
    t.is(orphans.length, which === 'first' ? 1 : 0);
    t.true(orphans.every(({ ageMs }) => Number.isFinite(ageMs)));
    await findStranded(store, { ...query, method: 'CreateVolume', sourcePatienceMs: DOWN_MS });
    const due = await takeForSending(store, 10);
    t.is(due.length, which === 'first' ? 1 : 0);
  });
}
