import type { Over } from '#src/errors/catalogue.js';
import { type Fault, isFault } from '#src/errors/fault.js';
import { backupAmounts } from '#src/quota/deltas/backup.js';
import { GROUP_AMOUNTS } from '#src/quota/deltas/group.js';
import { groupSnapshotAmounts, snapshotAmounts } from '#src/quota/deltas/snapshot.js';
import { extendAmounts, retypeAmounts } from '#src/quota/deltas/volume.js';
import { checkVolumeSize, overQuota, overQuotaOfExtend, type OverSubject } from '#src/quota/over-quota.js';
import { type Amounts, volumeAmounts } from '#src/quota/resources.js';
import type { Replay } from '../replay.js';
import { differing, eachOn } from './parts.js';
import type { OverFacts, QuotaCase, State } from './state.js';
import { World } from './world.js';

interface Action extends Partial<OverFacts> {
  readonly do: string;
  readonly project: string;
  readonly size?: number | null;
  readonly new_size?: number;
  readonly resource?: OverSubject;
  /** Keys of records. */
  readonly volumes?: readonly string[];
  readonly snapshots?: readonly string[];
  readonly volume_type?: string | null;
  readonly from_group_snapshot?: boolean;
  readonly update_size?: boolean;
}

interface Expect {
  readonly outcome: string;
  readonly error?: string;
  /** HTTP's: each of them is 413. */
  readonly code?: number;
  readonly args?: Readonly<Record<string, unknown>>;
  readonly over?: OverFacts;
}

type Case = QuotaCase<State & { readonly action: Action }, Expect>;

/** The error that a caller gets when what an operation reserves is over. */
export const overErrors: Replay = {
  kind: 'over_error',
  failing: (cases) =>
    eachOn(cases as readonly Case[], async (parts, { input, expect }) => {
      const world = await World.of(parts, input);
      return compared(expect, input.action, await ended(world, input.action));
    }),
};

/** The fault, or nothing. */
async function ended(world: World, action: Action): Promise<Fault | undefined> {
  const { typeNames } = world;
  if (action.do === 'process') {
    const { resource: subject = 'volumes', size } = action;
    return overQuota(recorded(action as OverFacts), { subject, sizeGib: size ?? 0, typeNames });
  }
  try {
    const { subject, sizeGib, amounts, volumeGib } = asked(world, action);
    const limitOf = await world.limits.of(action.project);
    if (volumeGib !== undefined) checkVolumeSize(volumeGib, limitOf);
    const reply = await world.reserve(action.project, amounts);
    if (reply.answer !== 'over') return undefined;
    if (action.do !== 'extend') return overQuota(reply.over, { subject, sizeGib, typeNames });
    const { gigabytes } = await world.usage(action.project, ['gigabytes']);
    const total = {
      limit: limitOf('gigabytes'),
      inUse: gigabytes?.in_use ?? 0,
      reserved: gigabytes?.reserved ?? 0,
      asked: sizeGib,
    };
    return overQuotaOfExtend(reply.over, { total, typeNames });
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
}

interface Asked {
  readonly subject: OverSubject;
  /** That the error speaks of. */
  readonly sizeGib: number;
  readonly amounts: Amounts;
  /** Size of the one volume that is made or becomes larger. */
  readonly volumeGib?: number;
}

/** What an operation reserves. */
function asked(world: World, action: Action): Asked {
  const { new_size: newSize = 0, volumes = [], snapshots = [] } = action;
  const size = action.size ?? 0;
  const members = [...volumes, ...snapshots].map((key) => memberOf(world, key));
  const volumeTypeId = world.typeId(action.volume_type);
  const [one = { sizeGib: 0, volumeTypeId }] = members;
  switch (action.do) {
    case 'create_volume': {
      const amounts = without(checkedLess(action), volumeAmounts({ sizeGib: size, volumeTypeId }));
      return { subject: 'volumes', sizeGib: size, volumeGib: size, amounts };
    }
    case 'extend': {
      const increaseGib = newSize - one.sizeGib;
      const amounts = extendAmounts(one, increaseGib);
      return { subject: 'volumes', sizeGib: increaseGib, volumeGib: newSize, amounts };
    }
    case 'retype': {
      const amounts = retypeAmounts({ ...one, snapshots: snapshotsOf(world, volumes[0]) }, volumeTypeId, world);
      return { subject: 'volumes', sizeGib: one.sizeGib, amounts };
    }
    case 'create_snapshot':
      return { subject: 'snapshots', sizeGib: one.sizeGib, amounts: snapshotAmounts(one, world) };
    case 'group_snapshot': {
      const amounts = groupSnapshotAmounts(members, world);
      return { subject: 'snapshots', sizeGib: amounts['gigabytes'] ?? members.at(-1)?.sizeGib ?? 0, amounts };
    }
    case 'transfer_snapshots': {
      const amounts = groupSnapshotAmounts(
        members.map(({ sizeGib }) => ({ sizeGib, volumeTypeId })),
        world,
      );
      return { subject: 'snapshots', sizeGib: members.reduce((sum, { sizeGib }) => sum + sizeGib, 0), amounts };
    }
    case 'create_backup':
      return { subject: 'backups', sizeGib: one.sizeGib, amounts: backupAmounts(one.sizeGib) };
    case 'create_group':
      return { subject: 'groups', sizeGib: 0, amounts: GROUP_AMOUNTS };
    default:
      throw new Error(`nobody does ${action.do}`);
  }
}

/** What Cinder does not check, though it counts: docs/adr/0011-what-differs-in-quota.md. */
function checkedLess({
  from_group_snapshot: isFromGroup,
  update_size: isManaged,
}: Action): 'gigabytes' | 'volumes' | '' {
  if (isFromGroup) return 'gigabytes';
  return isManaged ? 'volumes' : '';
}

function without(resource: string, amounts: Amounts): Amounts {
  return Object.fromEntries(Object.entries(amounts).filter(([key]) => resource === '' || !key.startsWith(resource)));
}

/** A volume, or a snapshot with the type of its volume. */
function memberOf(world: World, key: string): { readonly sizeGib: number; readonly volumeTypeId: string } {
  const record = world.records.get(key);
  const { type } = world.records.get(record?.volume ?? key) ?? {};
  return { sizeGib: record?.size ?? 0, volumeTypeId: world.typeId(type) };
}

function snapshotsOf(world: World, volume: string | undefined): readonly { readonly sizeGib: number }[] {
  const snapshots = [...world.records.values()].filter((record) => record.volume === volume);
  return snapshots.map(({ size = 0 }) => ({ sizeGib: size }));
}

function recorded({ overs, quotas, usages }: OverFacts): readonly Over[] {
  return overs.map((resource) => {
    const { in_use: inUse = 0, reserved = 0 } = usages[resource] ?? {};
    return { resource, limit: quotas[resource] ?? -1, inUse, reserved, asked: 1 };
  });
}

function compared(expect: Expect, action: Action, fault: Fault | undefined): readonly string[] {
  if (fault === undefined) return differing(expect, { outcome: 'ok' });
  const { over = [], ...args } = fault.facts as { readonly over?: readonly Over[] } & Record<string, unknown>;
  const facts = expect.over ?? (action.do === 'process' ? (action as OverFacts) : undefined);
  const wanted = {
    error: expect.error,
    code: expect.code,
    args: { ...expect.args },
    overs: facts && [...facts.overs].sort(),
  };
  // without a size Cinder asks for nothing, and we for none
  if (wanted.args['requested'] === null) wanted.args['requested'] = 0;
  const code = fault.code === 'RESOURCE_EXHAUSTED' ? 413 : 0;
  return differing(wanted, { error: fault.name, code, args, overs: facts && over.map(({ resource }) => resource) });
}
