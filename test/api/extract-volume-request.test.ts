import test from 'ava';
import type { CreateVolume } from '#src/api/requests.js';
import { extractVolumeRequest, type ExtractVolumeRequestParts } from '#src/api/tasks/extract-volume-request.js';
import { cachedZones } from '#src/api/zones.js';
import { Fault } from '#src/errors/fault.js';
import type { VolumeType } from '#src/objects/volume-type.js';
import { CONTEXT } from '../casts/rows.js';

const RUN = { signal: new AbortController().signal, flow: 'volume_create_api', requestId: '' };

test('a volume that names no type gets the default one, in the default zone', async (t) => {
  const spec = await extract({});
  t.is(spec.volumeType.name, 'default');
  t.deepEqual(spec.availabilityZones, ['nova']);
  t.is(spec.sizeGib, 5);
  t.false(spec.multiattach);
});

test('a type is found by what the caller calls it, for the caller’s project', async (t) => {
  const asked: unknown[] = [];
  const types = {
    find: async (...args: unknown[]) => {
      asked.push(args);
      return typeWith({}, 'gold');
    },
  };
  t.is((await extract({ volumeType: 'gold' }, { types: { ...TYPES, ...types } })).volumeType.name, 'gold');
  t.deepEqual(asked, [['gold', CONTEXT]]);
});

test('a type that nobody knows is refused', async (t) => {
  await t.throwsAsync(extract({ volumeType: 'lead' }), { name: 'VolumeTypeNotFound' });
});

/** Extra specs for the size, a size, and the words of the refusal. */
const SIZES: readonly (readonly [specs: Readonly<Record<string, string>>, sizeGib: number, refusal: RegExp | null])[] =
  [
    [{ 'provisioning:min_vol_size': '10' }, 9, /at least 10 GiB for volume type 'default'/],
    [{ 'provisioning:min_vol_size': '10' }, 10, null],
    [{ 'provisioning:max_vol_size': '10' }, 10, null],
    [{ 'provisioning:max_vol_size': '10' }, 11, /at most 10 GiB for volume type 'default'/],
    [{ 'provisioning:min_vol_size': '2', 'provisioning:max_vol_size': '4' }, 3, null],
  ];

for (const [specs, sizeGib, refusal] of SIZES) {
  test(`${sizeGib} GiB of a type with ${JSON.stringify(specs)} are ${refusal ? 'refused' : 'well'}`, async (t) => {
    const extraction = extract({ sizeGib }, typesWith(specs));
    if (refusal) await t.throwsAsync(extraction, { name: 'InvalidInput', message: refusal });
    else t.is((await extraction).sizeGib, sizeGib);
  });
}

/** A type's zones, the zone that is asked for, whether unknown ones fall back, and the zones that will do. */
type ZoneCase = readonly [ofType: string | undefined, asked: string | undefined, fallback: boolean, zones: string];

const ZONES: readonly ZoneCase[] = [
  [undefined, undefined, false, 'nova'],
  [undefined, 'az2', false, 'az2'],
  [undefined, 'mars', false, 'refused: mars'],
  [undefined, 'mars', true, 'nova'],
  ['az2', undefined, false, 'az2'],
  [' az2 , az3,mars', undefined, false, 'az2,az3'],
  ['az2,az3', 'az3', false, 'az3'],
  ['az2,az3', 'nova', false, 'refused: nova'],
  ['az2', 'az3', true, 'nova'],
  ['mars', undefined, true, 'refused: mars'],
];

for (const [ofType, asked, zoneFallback, expected] of ZONES) {
  const how = `${asked ?? 'no zone'} for a type of ${ofType ?? 'any zone'}${zoneFallback ? ', with a fallback,' : ''}`;
  test(`${how} is ${expected}`, async (t) => {
    const specs = ofType === undefined ? {} : { 'RESKEY:availability_zones': ofType };
    const request = asked === undefined ? {} : { availabilityZone: asked };
    const zones = await extract(request, { ...typesWith(specs), zoneFallback }).then(
      ({ availabilityZones }) => availabilityZones.join(','),
      (error: unknown) => {
        if (!Fault.is(error, 'InvalidAvailabilityZone')) throw error;
        return `refused: ${error.facts.availabilityZone}`;
      },
    );
    t.is(zones, expected);
  });
}

test('multiattach is what the type says, in Cinder’s words', async (t) => {
  t.true((await extract({}, typesWith({ multiattach: '<is> True' }))).multiattach);
  t.false((await extract({}, typesWith({ multiattach: 'True' }))).multiattach);
});

test('zones are read once for many requests, the configured one is always there, and a failure is not kept', async (t) => {
  let reads = 0;
  let fails = true;
  const zones = cachedZones(
    async () => {
      reads += 1;
      if (fails) throw new Error('away');
      return ['az2'];
    },
    'nova',
    60_000,
  );
  await t.throwsAsync(zones.known(), { message: 'away' });
  fails = false;
  const all = await Promise.all([zones.known(), zones.known()]);
  t.deepEqual(
    all.map((known) => [...known]),
    [
      ['az2', 'nova'],
      ['az2', 'nova'],
    ],
  );
  t.is(reads, 2);
});

test('zones are read again when they are old', async (t) => {
  const names = ['az1'];
  const zones = cachedZones(async () => names, 'nova', 0);
  t.false((await zones.known()).has('az2'));
  names.push('az2');
  t.true((await zones.known()).has('az2'));
});

const TYPES: ExtractVolumeRequestParts['types'] = {
  find: (idOrName) => Promise.reject(new Fault('VolumeTypeNotFound', { volumeType: idOrName })),
  default: async () => typeWith({}),
};

function typeWith(extraSpecs: Readonly<Record<string, string>>, name = 'default'): VolumeType {
  const type = { id: 'type-1', name, description: null, isPublic: true, qosSpecsId: null };
  return { ...type, extraSpecs: new Map(Object.entries(extraSpecs)) };
}

function typesWith(extraSpecs: Readonly<Record<string, string>>): Partial<ExtractVolumeRequestParts> {
  return { types: { ...TYPES, default: async () => typeWith(extraSpecs) } };
}

async function extract(request: Partial<CreateVolume>, parts: Partial<ExtractVolumeRequestParts> = {}) {
  const task = extractVolumeRequest({
    types: TYPES,
    zones: cachedZones(async () => ['az2', 'az3'], 'nova', 60_000),
    defaultZone: 'nova',
    zoneFallback: false,
    ...parts,
  });
  const blank = { sizeGib: 5, name: null, description: null, metadata: new Map(), schedulerHints: new Map() };
  return (await task.execute({ context: CONTEXT, request: { ...blank, ...request } }, RUN)).spec;
}
