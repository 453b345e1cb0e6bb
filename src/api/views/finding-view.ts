import type { Finding } from '../../doctor/diagnosis.js';
import type { FindingKind, Subject } from '../../doctor/kinds.js';
import {
  FindingKind as WireKind,
  Subject as WireSubject,
  type Finding as WireFinding,
} from '../../gen/cinder/api/v3/diagnostics.js';

/** A finding as administrators see it. */
export function findingView({ kind, ...finding }: Finding): WireFinding {
  return { ...finding, kind: KINDS[kind] };
}

export function subjectView(subject: Subject): WireSubject {
  return SUBJECTS[subject];
}

/** Undefined for one that is not known. */
export function subjectOf(subject: WireSubject): Subject | undefined {
  return (Object.keys(SUBJECTS) as Subject[]).find((each) => SUBJECTS[each] === subject);
}

const SUBJECTS: Readonly<Record<Subject, WireSubject>> = {
  work: WireSubject.WORK,
  volumes: WireSubject.VOLUMES,
  settlements: WireSubject.SETTLEMENTS,
  storage: WireSubject.STORAGE,
  claims: WireSubject.CLAIMS,
  quota: WireSubject.QUOTA,
};

const KINDS: Readonly<Record<FindingKind, WireKind>> = {
  work_of_dead_owner: WireKind.WORK_OF_DEAD_OWNER,
  work_without_service: WireKind.WORK_WITHOUT_SERVICE,
  work_without_resource: WireKind.WORK_WITHOUT_RESOURCE,
  work_of_other_status: WireKind.WORK_OF_OTHER_STATUS,
  work_without_settlement: WireKind.WORK_WITHOUT_SETTLEMENT,
  work_unreadable: WireKind.WORK_UNREADABLE,
  status_without_work: WireKind.STATUS_WITHOUT_WORK,
  settlement_left: WireKind.SETTLEMENT_LEFT,
  settlement_unreadable: WireKind.SETTLEMENT_UNREADABLE,
  status_unreadable: WireKind.STATUS_UNREADABLE,
  hold_without_work: WireKind.HOLD_WITHOUT_WORK,
  file_without_record: WireKind.FILE_WITHOUT_RECORD,
  half_made_file_left: WireKind.HALF_MADE_FILE_LEFT,
  record_without_file: WireKind.RECORD_WITHOUT_FILE,
  file_of_other_size: WireKind.FILE_OF_OTHER_SIZE,
  backend_silent: WireKind.BACKEND_SILENT,
  claim_without_work: WireKind.CLAIM_WITHOUT_WORK,
  claims_differ: WireKind.CLAIMS_DIFFER,
  quota_differs: WireKind.QUOTA_DIFFERS,
};
