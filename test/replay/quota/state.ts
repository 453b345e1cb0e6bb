import type { Vector } from '../replay.js';

/** Limits of one project or class, by resource as its users know it. */
export type LimitRows = Readonly<Record<string, number | null>>;

/** What every kind of recorded case about quota begins with. See test/vectors/quota/README.md. */
export interface State {
  readonly config?: Config;
  readonly volume_types?: readonly string[];
  readonly classes?: Readonly<Record<string, LimitRows>>;
  readonly overrides?: Readonly<Record<string, LimitRows>>;
  readonly records?: readonly RecordRow[];
  readonly usages?: Readonly<Record<string, Readonly<Record<string, UsageRow>>>>;
  readonly reserved?: readonly { readonly project: string; readonly deltas: Readonly<Record<string, number>> }[];
}

/** Options that are not at their default. */
export interface Config {
  readonly quota_volumes?: number;
  readonly quota_gigabytes?: number;
  readonly quota_snapshots?: number;
  readonly quota_backups?: number;
  readonly quota_backup_gigabytes?: number;
  readonly quota_groups?: number;
  readonly per_volume_size_limit?: number;
  readonly reservation_expire?: number;
  readonly until_refresh?: number;
  readonly max_age?: number;
  readonly no_snapshot_gb_quota?: boolean;
  readonly use_default_quota_class?: boolean;
}

export interface RecordRow {
  readonly key: string;
  readonly kind: 'volume' | 'snapshot' | 'backup' | 'group';
  readonly project: string;
  readonly size?: number;
  /** null: a type outside the case. */
  readonly type?: string | null;
  /** Of a snapshot: the key of its volume. */
  readonly volume?: string;
  readonly use_quota?: boolean;
}

export interface UsageRow {
  readonly in_use: number;
  readonly reserved: number;
}

/** How a decision was refused: names, and the figures it was made on. */
export interface OverFacts {
  readonly overs: readonly string[];
  readonly quotas: Readonly<Record<string, number>>;
  readonly usages: Readonly<Record<string, UsageRow>>;
}

/** A recorded case about quota. */
export interface QuotaCase<Input extends State = State, Expect = unknown> extends Vector<Input, Expect> {
  readonly features?: readonly string[];
  readonly differs?: string;
  /** Of a sequence: the operations at which the rule shows. */
  readonly differs_at?: readonly number[];
}
