import test from 'ava';
import type { Store } from '#src/db/store.js';
import { placeVolume } from '#src/db/volume-transitions.js';
import type { FilterProperties } from '#src/objects/request-spec.js';
import { NO_SURROUNDINGS } from '#src/scheduler/placement-request.js';
import { lookUpWith, NO_COMPUTE, type SurroundingsParts } from '#src/scheduler/surroundings.js';
import { VolumeCounts } from '#src/scheduler/volume-counts.js';
import { CONTEXT } from '../casts/rows.js';
import { storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

const named = (...names: string[]) => names.map((name) => ({ name }));
const hints = (pairs: Readonly<Record<string, unknown>>): FilterProperties => ({
  schedulerHints: new Map(Object.entries(pairs).map(([name, hint]) => [name, JSON.stringify(hint)])),
});
const { signal } = new AbortController();

function lookUp(store: Store, parts: Partial<SurroundingsParts>) {
  const counts = new VolumeCounts(store);
  return lookUpWith({ store, counts, compute: NO_COMPUTE, filters: [], weighers: [], ...parts });
}

async function placed(store: Store, projectId: string, host: string): Promise<string> {
  const { id } = await recorded(store, { projectId });
  await store.apply([placeVolume({ id, host, clusterName: null, availabilityZone: 'nova' })]);
  return id;
}

storesFor('hints find the volumes of the own project only, an administrator’s those of all', async (t, store) => {
  const own = await placed(store, CONTEXT.projectId, 'h@b#p');
  const foreign = await placed(store, 'p2', 'h@b#q');
  const look = lookUp(store, { filters: named('SameBackendFilter', 'DifferentBackendFilter') });
  const properties = hints({ same_host: [own, foreign], different_host: 'nonsense' });

  const { volumes } = await look(CONTEXT, properties, signal);
  t.deepEqual(volumes, [{ id: own, host: 'h@b#p', clusterName: null }]);
  const all = await look({ ...CONTEXT, roles: ['admin'] }, properties, signal);
  t.deepEqual(all.volumes.map(({ id }) => id).sort(), [own, foreign].sort());
});

storesFor('volumes are counted by pool, and a placement counts at once', async (t, store) => {
  await placed(store, 'p1', 'h@b#p');
  await placed(store, 'p2', 'h@b#p');
  await recorded(store);
  const counts = new VolumeCounts(store);
  const look = lookUp(store, { counts, weighers: named('VolumeNumberWeigher') });

  t.deepEqual([...(await look(CONTEXT, hints({}), signal)).volumeCounts], [['h@b#p', 2]]);
  counts.placed('h@b#p');
  counts.placed('h@b#q');
  const now = await look(CONTEXT, hints({}), signal);
  t.deepEqual(Object.fromEntries(now.volumeCounts), { 'h@b#p': 3, 'h@b#q': 1 });
});

storesFor(
  'what no filter asks for is not looked up, and what cannot be read is left to the filter',
  async (t, store) => {
    const properties = hints({ same_host: 'x', local_to_instance: '../etc' });
    t.is(lookUp(store, { filters: named('CapacityFilter') })(CONTEXT, properties, signal), NO_SURROUNDINGS);
    const compute = { hostOf: () => Promise.reject(new Error('not asked')) };
    const { servers } = await lookUp(store, { compute, filters: named('InstanceLocalityFilter') })(
      CONTEXT,
      properties,
      signal,
    );
    t.is(servers.size, 0);
  },
);

storesFor('the compute service says where a server is', async (t, store) => {
  const server = '4ba71ab7-ac05-44a5-acc6-be1805fdf179';
  const compute = { hostOf: (id: string) => Promise.resolve(id === server ? 'h1' : undefined) };
  const look = lookUp(store, { compute, filters: named('InstanceLocalityFilter') });
  const { servers } = await look(CONTEXT, hints({ local_to_instance: server }), signal);
  t.deepEqual([...servers], [[server, 'h1']]);
});

test('a hint that is no JSON finds nothing', async (t) => {
  const look = lookUp({} as Store, { filters: named('SameBackendFilter') });
  const surroundings = await look(CONTEXT, { schedulerHints: new Map([['same_host', '[']]) }, signal);
  t.is(surroundings, NO_SURROUNDINGS);
});
