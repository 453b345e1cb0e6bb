import test from 'ava';
import type { CreateVolume } from '#src/api/requests.js';
import { extractVolumeRequest, type ExtractVolumeRequestParts } from '#src/api/tasks/extract-volume-request.js';
import { cachedZones } from '#src/api/zones.js';
import { Fault } from '#src/errors/fault.js';
import type { VolumeType } from '#src/objects/volume-type.js';
import { unplacedVolume } from '#src/db/volumes.js';
import type { Volume } from '#src/objects/volume.js';
import { CONTEXT } from '../casts/rows.js';
import { newVolume } from '../support/volumes.js';

const RUN = {
  signal: new AbortController().signal,
  flow: 'volume_create_api',
  requestId: '',
  traceparent: '',
  projectId: '',
  resourceId: '',
};

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
  ['mars', undefined, true, 'refused: all of mars'],
  ['mars,venus', 'nova', false, 'refused: all of mars, venus'],
  ['nova, nova', undefined, false, 'nova'],
];

for (const [ofType, asked, zoneFallback, expected] of ZONES) {
  const how = `${asked ?? 'no zone'} for a type of ${ofType ?? 'any zone'}${zoneFallback ? ', with a fallback,' : ''}`;
  test(`${how} is ${expected}`, async (t) => {
    const specs = ofType === undefined ? {} : { 'RESKEY:availability_zones': ofType };
    const request = asked === undefined ? {} : { availabilityZone: asked };
    const zones = await extract(request, { ...typesWith(specs), zoneFallback }).then(
      ({ availabilityZones }) => availabilityZones.join(','),
      (error: unknown) => {
        if (Fault.is(error, 'InvalidTypeAvailabilityZones')) return `refused: all of ${error.facts.availabilityZones}`;
        if (!Fault.is(error, 'InvalidAvailabilityZone')) throw error;
        return `refused: ${error.facts.availabilityZone}`;
      },
    );
    t.is(zones, expected);
  });
}

/** Size of the source, size that is asked for, and the size of the clone or the words of the refusal. */
const CLONE_SIZES: readonly (readonly [sourceGib: number, asked: number | undefined, result: number | RegExp])[] = [
  [4, undefined, 4],
  [4, 4, 4],
  [4, 9, 9],
  [4, 3, /size: must be at least 4 GiB, the size of the volume that is cloned/],
  [2, undefined, /at least 3 GiB for volume type/],
  [12, undefined, /at most 10 GiB for volume type/],
];

for (const [sourceGib, asked, result] of CLONE_SIZES) {
  const size = asked === undefined ? 'no size' : `${asked} GiB`;
  test(`${size} for a clone of ${sourceGib} GiB of a type of 3 to 10 GiB ${typeof result === 'number' ? 'is well' : 'is refused'}`, async (t) => {
    const ofSource = typeWith({ 'provisioning:min_vol_size': '3', 'provisioning:max_vol_size': '10' });
    const extraction = cloning(
      { ...(asked !== undefined && { sizeGib: asked }) },
      { sizeGib: sourceGib },
      { ofSource },
    );
    if (typeof result === 'number') t.is((await extraction).sizeGib, result);
    else await t.throwsAsync(extraction, { name: 'InvalidInput', message: result });
  });
}

/** The backend that a type names, whether the source's names the same, and whether a clone may have it. */
const CLONE_TYPES: readonly (readonly [asked: string | undefined, ofSource: string | undefined, isAllowed: boolean])[] =
  [
    ['file', 'file', true],
    ['file', 'other', false],
    [undefined, 'file', false],
    ['', '', false],
    [undefined, undefined, false],
  ];

for (const [asked, ofSource, isAllowed] of CLONE_TYPES) {
  const named = (backend: string | undefined) => (backend === undefined ? 'no backend' : `backend '${backend}'`);
  test(`a type of ${named(asked)} is ${isAllowed ? 'well' : 'refused'} for a clone of one of ${named(ofSource)}`, async (t) => {
    const specs = (backend: string | undefined) => (backend === undefined ? {} : { volume_backend_name: backend });
    const other = { ...typeWith(specs(asked), 'other'), id: 'type-2' };
    const extraction = cloning({ volumeType: 'other' }, {}, { ofSource: typeWith(specs(ofSource)), asked: other });
    if (isAllowed) t.is((await extraction).volumeType, other);
    else
      await t.throwsAsync(extraction, { name: 'InvalidInput', message: /volume_type: a clone cannot have the type/ });
  });
}

test('a clone may name the type of its source, and has it when it names none', async (t) => {
  const ofSource = typeWith({}, 'gold');
  t.is((await cloning({ volumeType: 'gold' }, {}, { ofSource, asked: ofSource })).volumeType, ofSource);
  t.is((await cloning({}, {}, { ofSource })).volumeType, ofSource);
});

/** Zone of the source, zone that is asked for, whether they must be the same, whether unknown ones fall back; the zones. */
const CLONE_ZONES: readonly (readonly [string | null, string | undefined, boolean, boolean, string])[] = [
  ['az2', undefined, true, false, 'az2'],
  ['az2', 'az2', true, false, 'az2'],
  ['az2', 'az3', true, false, 'refused'],
  ['az2', 'az3', false, false, 'az3'],
  ['mars', undefined, true, false, 'InvalidAvailabilityZone'],
  ['mars', undefined, true, true, 'refused'],
  ['mars', undefined, false, true, 'nova'],
  [null, undefined, true, false, 'nova'],
];

for (const [ofSource, asked, isSame, zoneFallback, expected] of CLONE_ZONES) {
  const rules = `${isSame ? 'in the same zone' : 'in any zone'}${zoneFallback ? ', with a fallback' : ''}`;
  test(`a clone ${rules} of a volume in ${ofSource ?? 'no zone'} that asks for ${asked ?? 'none'}: ${expected}`, async (t) => {
    const request = asked === undefined ? {} : { availabilityZone: asked };
    const types = { ofSource: typeWith({}) };
    const parts = { clonedVolumeSameAz: isSame, zoneFallback };
    const zones = await cloning(request, { availabilityZone: ofSource }, types, parts).then(
      ({ availabilityZones }) => availabilityZones.join(','),
      (error: unknown) => (Fault.is(error, 'InvalidInput') ? 'refused' : (error as Error).name),
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
  ofVolume: (id) => Promise.reject(new Fault('VolumeTypeNotFound', { volumeType: id })),
  default: async () => typeWith({}),
};

function typeWith(extraSpecs: Readonly<Record<string, string>>, name = 'default'): VolumeType {
  const type = { id: 'type-1', name, description: null, isPublic: true, qosSpecsId: null };
  return { ...type, extraSpecs: new Map(Object.entries(extraSpecs)) };
}

function typesWith(extraSpecs: Readonly<Record<string, string>>): Partial<ExtractVolumeRequestParts> {
  return { types: { ...TYPES, default: async () => typeWith(extraSpecs) } };
}

/** Extracts the request for a clone. */
function cloning(
  request: Partial<CreateVolume>,
  source: Partial<Volume>,
  { ofSource, asked }: { readonly ofSource: VolumeType; readonly asked?: VolumeType },
  parts: Partial<ExtractVolumeRequestParts> = {},
) {
  const record = newVolume({ status: 'available', volumeTypeId: ofSource.id });
  const volume = { ...unplacedVolume(record, 1), host: 'h@b#p', availabilityZone: null, ...source };
  const types = {
    ...TYPES,
    find: async () => asked ?? ofSource,
    ofVolume: async () => ofSource,
  };
  return extracted(
    { ...BLANK, sourceVolumeId: volume.id, ...request },
    { types, sources: { find: async () => volume }, ...parts },
  );
}

const BLANK: CreateVolume = {
  name: null,
  description: null,
  metadata: new Map(),
  schedulerHints: new Map(),
};

const extract = (request: Partial<CreateVolume>, parts: Partial<ExtractVolumeRequestParts> = {}) =>
  extracted({ ...BLANK, sizeGib: 5, ...request }, parts);

async function extracted(request: CreateVolume, parts: Partial<ExtractVolumeRequestParts>) {
  const task = extractVolumeRequest({
    types: TYPES,
    zones: cachedZones(async () => ['az2', 'az3'], 'nova', 60_000),
    defaultZone: 'nova',
    zoneFallback: false,
    clonedVolumeSameAz: true,
    sources: { find: (volumeId) => Promise.reject(new Fault('VolumeNotFound', { volumeId })) },
    ...parts,
  });
  return (await task.execute({ context: CONTEXT, request }, RUN)).spec;
}
