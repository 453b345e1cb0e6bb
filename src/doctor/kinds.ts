/** What a diagnosis looks at, in the order in which it does. */
export const SUBJECTS = ['work', 'volumes', 'settlements', 'storage', 'claims', 'quota'] as const;

export type Subject = (typeof SUBJECTS)[number];

/** What is said of every finding of a kind. */
interface Kind {
  readonly subject: Subject;
  /** Whether `repair` mends such a thing where it can: without destroying data, or the record of a volume. */
  readonly repairable: boolean;
  /** What `repair` does; of the others what an operator can do. */
  readonly remedy: string;
}

/** Every kind of finding. Rule: docs/protocols.md §W PROOF. */
export const KINDS = {
  work_of_dead_owner: {
    subject: 'work',
    repairable: false,
    remedy: 'start a process of its binary, or the volume service of its backend: it goes on with it',
  },
  work_without_service: {
    subject: 'work',
    repairable: false,
    remedy: 'start a process of its binary, or the volume service of its backend',
  },
  work_without_resource: { subject: 'work', repairable: true, remedy: 'remove the row' },
  work_of_other_status: { subject: 'work', repairable: true, remedy: 'remove the row; the resource stays as it is' },
  work_without_settlement: {
    subject: 'work',
    repairable: true,
    remedy: 'end the volume in error, or in its former status, with a message for its owner; count the quota anew',
  },
  work_unreadable: {
    subject: 'work',
    repairable: true,
    remedy: 'send it again, or end the volume in error, or in its former status, with a message for its owner',
  },
  status_without_work: {
    subject: 'volumes',
    repairable: true,
    remedy: 'end the volume in error, or in its former status, with a message for its owner',
  },
  status_unreadable: {
    subject: 'volumes',
    repairable: false,
    remedy: 'look what the volume is, and correct its record with `volume reset-state`',
  },
  settlement_left: {
    subject: 'settlements',
    repairable: false,
    remedy: 'bring Redis back: recovery settles it within seconds',
  },
  settlement_unreadable: {
    subject: 'settlements',
    repairable: true,
    remedy: 'remove the row, and count the quota of its project anew',
  },
  hold_without_work: { subject: 'settlements', repairable: true, remedy: 'give the held quota back' },
  file_without_record: { subject: 'storage', repairable: true, remedy: 'move the file to the quarantine of its pool' },
  half_made_file_left: { subject: 'storage', repairable: true, remedy: 'remove the file: it never was a volume' },
  record_without_file: {
    subject: 'storage',
    repairable: false,
    remedy: 'bring the file back from a backup, or correct the record with `volume reset-state`',
  },
  file_of_other_size: {
    subject: 'storage',
    repairable: false,
    remedy: 'compare the two and correct the one that is wrong',
  },
  backend_silent: {
    subject: 'storage',
    repairable: false,
    remedy: 'start or upgrade its volume service, and ask again',
  },
  claim_without_work: { subject: 'claims', repairable: true, remedy: 'release the claim' },
  claims_differ: { subject: 'claims', repairable: true, remedy: 'add the claims up anew' },
  quota_differs: { subject: 'quota', repairable: true, remedy: 'count the quota anew from the records' },
} as const satisfies Readonly<Record<string, Kind>>;

export type FindingKind = keyof typeof KINDS;
