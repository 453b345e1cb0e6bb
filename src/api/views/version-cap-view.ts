import {
  type VersionCap,
  type VersionHolder,
  VersionHolderKind,
  type VersionLoss,
  VersionLossKind,
} from '../../gen/cinder/api/v3/services.js';
import type { Duration } from '../../gen/google/protobuf/duration.js';
import type { Level } from '../../rpc/older-form.js';
import type { CapExplanation, WeighedService } from '../../rpc/version-cap.js';
import type { Loss } from '../../rpc/version-losses.js';
import { compareVersions, formatVersion } from '../../rpc/version-number.js';

/** For how long services count. */
export interface Ages {
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
  /** `service_version_ttl`, ms. */
  readonly serviceTtlMs: number;
}

/** A cap as administrators see it. */
export function versionCapView(explanation: CapExplanation, losses: readonly Loss[], ages: Ages): VersionCap {
  const { binary, cap, own, pin, services } = explanation;
  const holding = services.filter(({ counts, level }) => counts && isBelow(level, own));
  const pinned = pin && compareVersions(pin, own.rpc) < 0 ? [{ level: { rpc: pin, objects: own.objects } }] : [];
  const holders = [...holding, ...pinned].sort(({ level: a }, { level: b }) => olderFirst(a, b));
  return {
    binary,
    rpcVersion: formatVersion(cap.rpc),
    objectVersion: formatVersion(cap.objects),
    ownRpcVersion: formatVersion(own.rpc),
    ownObjectVersion: formatVersion(own.objects),
    holders: holders.map((holder) => ({
      ...('service' in holder ? serviceView(holder, ages) : pinView(holder.level)),
      decides: decides(holder.level, cap, own),
    })),
    losses: losses.map(lossView),
  };
}

function serviceView(
  { service, isReadable }: WeighedService,
  { downAfterMs, serviceTtlMs }: Ages,
): Omit<VersionHolder, 'decides'> {
  const { host, rpcVersion, objectVersion, silentMs } = service;
  return {
    kind: VersionHolderKind.SERVICE,
    host,
    rpcVersion,
    objectVersion,
    silent: duration(silentMs),
    countsFor: silentMs > downAfterMs ? duration(serviceTtlMs - silentMs) : undefined,
    unreadable: !isReadable,
  };
}

function pinView({ rpc }: Level): Omit<VersionHolder, 'decides'> {
  const nothing = { host: '', objectVersion: '', silent: undefined, countsFor: undefined, unreadable: false };
  return { kind: VersionHolderKind.PIN, rpcVersion: formatVersion(rpc), ...nothing };
}

function isBelow(level: Level, than: Level): boolean {
  return compareVersions(level.rpc, than.rpc) < 0 || compareVersions(level.objects, than.objects) < 0;
}

/** Whether the cap is as low as this because of it. */
function decides(level: Level, cap: Level, own: Level): boolean {
  const at = (one: keyof Level): boolean =>
    compareVersions(cap[one], own[one]) < 0 && compareVersions(level[one], cap[one]) === 0;
  return at('rpc') || at('objects');
}

function olderFirst(a: Level, b: Level): number {
  return compareVersions(a.rpc, b.rpc) || compareVersions(a.objects, b.objects);
}

const KINDS: Readonly<Record<Loss['kind'], VersionLossKind>> = {
  'method refused': VersionLossKind.METHOD_REFUSED,
  'method reworded': VersionLossKind.METHOD_REWORDED,
  'field dropped': VersionLossKind.FIELD_DROPPED,
  'field reworded': VersionLossKind.FIELD_REWORDED,
  'field refused': VersionLossKind.FIELD_REFUSED,
};

function lossView({ kind, what, since, instead = '' }: Loss): VersionLoss {
  return { kind: KINDS[kind], what, since, instead };
}

function duration(ms: number): Duration {
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 };
}
