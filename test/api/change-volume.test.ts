import { randomUUID } from 'node:crypto';
import test from 'ava';
import { statement } from '#src/db/statement.js';
import type { Store } from '#src/db/store.js';
import { findVolume } from '#src/db/volumes.js';
import {
  DeleteVolumeMetadataRequest,
  SetVolumeMetadataRequest,
  SummarizeVolumesRequest,
  UpdateVolumeRequest,
  type Volume,
  VolumesService,
} from '#src/gen/cinder/api/v3/volumes.js';
import type { VolumeStatus } from '#src/objects/volume-status.js';
import { eventsOf } from '../casts/rows.js';
import { ADMIN, answered, type Caller, refused } from '../support/api.js';
import { recordsApi } from '../support/records-api.js';
import { storesFor } from '../support/sql.js';
import { recorded } from '../support/volumes.js';

const { updateVolume, setVolumeMetadata, deleteVolumeMetadata, summarizeVolumes } = VolumesService;

const update = (request: Partial<UpdateVolumeRequest>) => UpdateVolumeRequest.create(request);
const setPairs = (request: Partial<SetVolumeMetadataRequest>) => SetVolumeMetadataRequest.create(request);
const removePairs = (request: Partial<DeleteVolumeMetadataRequest>) => DeleteVolumeMetadataRequest.create(request);
const pairs = (object: Readonly<Record<string, string>>) => new Map(Object.entries(object));
const numbered = (count: number, prefix = 'k') =>
  new Map(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, '']));

const inStatus = statement<{ id: string; status: string }>()(({ db }, p) =>
  db.updateTable('volumes').set({ status: p.status }).where('id', '=', p.id),
);

async function inStatusOf(store: Store, id: string, status: VolumeStatus): Promise<void> {
  await store.apply([{ statement: inStatus.with({ id, status }), rows: 1 }]);
}

const volumeIn = ({ volume }: { readonly volume?: Volume | undefined }): Volume => {
  if (!volume) throw new Error('the answer has no volume');
  return volume;
};

storesFor(
  'a change is written, counted and told to watchers, and the answer is the volume after it',
  async (t, records) => {
    const { store, call } = await recordsApi(t, records);
    const { id } = await recorded(store, { description: 'old', metadata: pairs({ a: '1' }) });
    const volume = volumeIn(
      answered(
        await call(updateVolume, update({ volumeId: id, name: ' new ', bootable: true, metadata: pairs({ b: '2' }) })),
      ),
    );
    t.like(volume, { name: 'new', description: 'old', bootable: true, revision: 2, metadata: pairs({ b: '2' }) });
    t.like(await findVolume(store, { id }), { name: 'new', revision: 2, metadata: pairs({ b: '2' }) });
    t.is((await eventsOf(store, id)).at(-1), 'volume.update.end');
    const more = answered(
      await call(setVolumeMetadata, setPairs({ volumeId: id, metadata: pairs({ b: '3', c: '4' }) })),
    );
    t.like(volumeIn(more), { revision: 3, metadata: pairs({ b: '3', c: '4' }) });
    t.is((await eventsOf(store, id)).at(-1), 'volume.metadata.update.end');
    const less = answered(await call(deleteVolumeMetadata, removePairs({ volumeId: id, keys: ['b', 'b'] })));
    t.like(volumeIn(less), { revision: 4, metadata: pairs({ c: '4' }) });
    t.is((await eventsOf(store, id)).at(-1), 'volume.metadata.delete.end');
  },
);

type Masked = readonly [
  mask: readonly string[] | undefined,
  given: Partial<UpdateVolumeRequest>,
  after: Partial<Volume>,
];

const BEFORE = { name: 'n', description: 'd', bootable: true } as const;
const PAIRS = pairs({ a: '1' });

/** What is left of a volume that has everything. Rule: AIP-134. */
const MASKS: readonly Masked[] = [
  [undefined, { name: 'x' }, { ...BEFORE, name: 'x', metadata: PAIRS }],
  [[], { description: '' }, { ...BEFORE, description: '', metadata: PAIRS }],
  [['name'], { name: 'x', description: 'x' }, { ...BEFORE, name: 'x', metadata: PAIRS }],
  [['name'], { description: 'x' }, { ...BEFORE, name: undefined, metadata: PAIRS }],
  [['metadata', 'bootable'], {}, { ...BEFORE, bootable: false, metadata: new Map() }],
  [['*'], { name: 'x' }, { name: 'x', description: undefined, bootable: false, metadata: new Map() }],
];

for (const [updateMask, given, after] of MASKS) {
  test(`the mask [${updateMask?.join() ?? 'absent'}] with ${JSON.stringify(given)} changes what it names`, async (t) => {
    const { store, call } = await recordsApi(t);
    const { id: volumeId } = await recorded(store, { ...BEFORE, metadata: PAIRS });
    const request = update({ volumeId, ...given, updateMask: updateMask && [...updateMask] });
    t.like(volumeIn(answered(await call(updateVolume, request))), after);
  });
}

test('every bad field is named in one answer, and nothing is changed', async (t) => {
  const { store, call } = await recordsApi(t);
  const { id: volumeId } = await recorded(store);
  const fieldsOf = async (...[method, request]: Parameters<Caller>) => {
    const { code, fields } = refused(await call(method, request));
    t.is(code, 'INVALID_ARGUMENT');
    return fields.toSorted();
  };
  const long = 'x'.repeat(256);
  const updated = update({
    volumeId,
    name: long,
    description: long,
    metadata: numbered(129),
    revision: 0,
    updateMask: ['size'],
  });
  t.deepEqual(await fieldsOf(updateVolume, updated), ['description', 'metadata', 'name', 'revision', 'update_mask']);
  for (const updateMask of [undefined, [], ['*', 'name'], ['metadata.a']]) {
    t.deepEqual(await fieldsOf(updateVolume, update({ volumeId, updateMask })), ['update_mask']);
  }
  t.deepEqual(await fieldsOf(setVolumeMetadata, setPairs({ volumeId: 'x' })), ['metadata', 'volume_id']);
  t.deepEqual(await fieldsOf(setVolumeMetadata, setPairs({ volumeId, metadata: pairs({ constructor: '' }) })), [
    'metadata["constructor"]',
  ]);
  t.deepEqual(await fieldsOf(deleteVolumeMetadata, removePairs({ volumeId, idempotencyKey: '' })), [
    'idempotency_key',
    'keys',
  ]);
  t.deepEqual(await fieldsOf(deleteVolumeMetadata, removePairs({ volumeId, keys: ['', 'a'] })), ['keys[0]']);
  t.deepEqual(await fieldsOf(deleteVolumeMetadata, removePairs({ volumeId, keys: Array<string>(129).fill('a') })), [
    'keys',
  ]);
  t.is((await findVolume(store, { id: volumeId }))?.revision, 1);
});

/** The three, as one reads them. */
const CHANGES: Readonly<
  Record<string, (call: Caller, volumeId: string, more?: More, headers?: Headers) => ReturnType<Caller>>
> = {
  UpdateVolume: (call, volumeId, more, headers) =>
    call(updateVolume, update({ volumeId, name: 'x', ...more }), headers),
  SetVolumeMetadata: (call, volumeId, more, headers) =>
    call(setVolumeMetadata, setPairs({ volumeId, metadata: pairs({ k: 'v' }), ...more }), headers),
  DeleteVolumeMetadata: (call, volumeId, more, headers) =>
    call(deleteVolumeMetadata, removePairs({ volumeId, keys: ['a'], ...more }), headers),
};
interface More {
  readonly revision?: number;
  readonly idempotencyKey?: string;
}
type Headers = Readonly<Record<string, string>>;

for (const [name, change] of Object.entries(CHANGES)) {
  const isMetadata = name !== 'UpdateVolume';

  test(`${name} is refused in maintenance${isMetadata ? ' and while the volume is uploaded' : ', and only then'}`, async (t) => {
    const { store, call } = await recordsApi(t);
    const { id } = await recorded(store, { metadata: PAIRS });
    for (const status of ['maintenance', 'uploading'] as const) {
      await inStatusOf(store, id, status);
      const answer = await change(call, id);
      if (status === 'uploading' && !isMetadata) answered(answer);
      else {
        const refusal = refused(answer);
        t.like(refusal, { code: 'FAILED_PRECONDITION', reason: 'INVALID_VOLUME', facts: { volumeId: id } });
        t.true(refusal.message.includes(status));
      }
    }
    await inStatusOf(store, id, 'in-use');
    t.is(volumeOf(await change(call, id)).revision, isMetadata ? 2 : 3);
  });

  test(`${name} with a revision that is not the volume’s is ABORTED and says both`, async (t) => {
    const { store, call } = await recordsApi(t);
    const { id } = await recorded(store, { metadata: PAIRS });
    const refusal = refused(await change(call, id, { revision: 7 }));
    t.like(refusal, {
      ...{ code: 'ABORTED', reason: 'REVISION_MISMATCH' },
      facts: { volumeId: id, expected: '7', actual: '1' },
    });
    t.is(volumeOf(await change(call, id, { revision: 1 })).revision, 2);
  });

  test(`${name} finds no volume of another project, and is not for readers`, async (t) => {
    const { store, call } = await recordsApi(t);
    const { id } = await recorded(store, { projectId: 'p2', metadata: PAIRS });
    for (const volumeId of [id, randomUUID()]) {
      t.like(refused(await change(call, volumeId)), { code: 'NOT_FOUND', reason: 'VOLUME_NOT_FOUND' });
    }
    const reader = { 'x-project-id': 'p2', 'x-roles': 'reader' };
    t.is(refused(await change(call, id, {}, reader)).code, 'PERMISSION_DENIED');
    t.is((await findVolume(store, { id }))?.revision, 1);
    t.is(volumeOf(await change(call, id, {}, ADMIN)).revision, 2);
  });

  storesFor(`${name} with a key has one effect, sent at once or again`, async (t, records) => {
    const { store, call } = await recordsApi(t, records);
    const { id } = await recorded(store, { metadata: PAIRS });
    const more = { revision: 1, idempotencyKey: 'once' };
    const answers = await Promise.all([1, 2, 3].map(() => change(call, id, more)));
    for (const answer of [...answers, await change(call, id, more)]) t.is(volumeOf(answer).revision, 2);
    t.is(refused(await change(call, id, { ...more, revision: 2 })).reason, 'IDEMPOTENCY_KEY_REUSED');
  });
}

function volumeOf(answer: Awaited<ReturnType<Caller>>): Volume {
  return volumeIn(answered(answer) as { readonly volume?: Volume });
}

storesFor('of changes that know the same revision, sent at once, one is done', async (t, records) => {
  const { store, call } = await recordsApi(t, records);
  const { id: volumeId } = await recorded(store);
  const answers = await Promise.all(
    ['a', 'b', 'c', 'd'].map((name) => call(updateVolume, update({ volumeId, name, revision: 1 }))),
  );
  t.is(answers.filter(({ error }) => !error).length, 1);
  for (const answer of answers.filter(({ error }) => error)) t.is(refused(answer).reason, 'REVISION_MISMATCH');
});

storesFor('a volume has at most 128 pairs, also when they are added at once', async (t, records) => {
  const { store, call } = await recordsApi(t, records);
  const { id: volumeId } = await recorded(store, { metadata: numbered(100) });
  const answers = await Promise.all(
    ['a', 'b', 'c'].map((prefix) => call(setVolumeMetadata, setPairs({ volumeId, metadata: numbered(20, prefix) }))),
  );
  t.is(answers.filter(({ error }) => !error).length, 1);
  for (const answer of answers.filter(({ error }) => error)) {
    t.like(refused(answer), { code: 'INVALID_ARGUMENT', fields: ['metadata'] });
  }
  t.is((await findVolume(store, { id: volumeId }))?.metadata.size, 120);
  answered(await call(setVolumeMetadata, setPairs({ volumeId, metadata: numbered(100) })));
  t.is((await findVolume(store, { id: volumeId }))?.metadata.size, 120, 'known keys do not count twice');
});

storesFor('of pairs to take out, all are there or none is taken; the missing one is named', async (t, records) => {
  const { store, call } = await recordsApi(t, records);
  const { id: volumeId } = await recorded(store, { metadata: pairs({ a: '1', b: '2' }) });
  const refusal = refused(await call(deleteVolumeMetadata, removePairs({ volumeId, keys: ['a', 'z', 'b'] })));
  t.like(refusal, { code: 'NOT_FOUND', reason: 'VOLUME_METADATA_NOT_FOUND', facts: { volumeId, metadataKey: 'z' } });
  t.like(await findVolume(store, { id: volumeId }), { revision: 1, metadata: pairs({ a: '1', b: '2' }) });
});

storesFor(
  'a summary counts the volumes of a project, adds their sizes up and shows the metadata in use',
  async (t, records) => {
    const { store, call } = await recordsApi(t, records);
    await recorded(store, { sizeGib: 2, metadata: pairs({ env: 'prod', tier: '1' }) });
    await recorded(store, { sizeGib: 3, metadata: pairs({ env: 'dev' }) });
    await recorded(store, { sizeGib: 3, metadata: pairs({ env: 'dev' }) });
    await recorded(store, { sizeGib: 100, projectId: 'p2', metadata: pairs({ env: 'other' }) });
    const own = SummarizeVolumesRequest.create({});
    const all = SummarizeVolumesRequest.create({ allProjects: true });
    const summary = answered(await call(summarizeVolumes, own));
    t.like(summary, { totalCount: 3, totalSize: 8 });
    t.deepEqual(
      [...summary.metadata],
      [
        ['env', { values: ['dev', 'prod'] }],
        ['tier', { values: ['1'] }],
      ],
    );
    t.like(answered(await call(summarizeVolumes, own, { 'x-project-id': 'nobody' })), { totalCount: 0, totalSize: 0 });
    t.is(refused(await call(summarizeVolumes, all)).code, 'PERMISSION_DENIED');
    t.like(answered(await call(summarizeVolumes, all, ADMIN)), { totalCount: 4, totalSize: 108 });
  },
);
