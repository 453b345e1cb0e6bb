import type { ServiceName } from '../../support/cluster.js';

/** A place in a flow where a process may die: before a task (`RUNNING`) or after it (`SUCCESS`). */
export interface KillPoint {
  readonly service: ServiceName;
  readonly flow: string;
  readonly task: string;
  readonly state: 'RUNNING' | 'SUCCESS';
}

/** Every step of every flow that changes something. A step that is missing here fails the run that meets it. */
const STEPS: readonly (readonly [service: ServiceName, flow: string, tasks: readonly string[]])[] = [
  ['api', 'volume_create_api', ['ExtractVolumeRequest', 'QuotaReserve', 'EntryCreate', 'QuotaCommit', 'VolumeCast']],
  ['scheduler', 'volume_create_scheduler', ['ExtractSchedulerSpec', 'ScheduleCreateVolume']],
  [
    'volume',
    'volume_create_manager',
    [
      ...['ExtractVolumeRef', 'OnFailureReschedule', 'ExtractVolumeSpec', 'NotifyVolumeAction'],
      ...['CreateVolumeFromSpec', 'CreateVolumeOnFinish'],
    ],
  ],
  [
    'volume',
    'volume_delete_manager',
    [
      ...['ExtractVolumeRef', 'CheckVolumeDeletable', 'NotifyVolumeAction'],
      ...['DeleteVolumeFromBackend', 'DeleteVolumeOnFinish', 'ReleaseQuota'],
    ],
  ],
];

export const KILL_POINTS: readonly KillPoint[] = STEPS.flatMap(([service, flow, tasks]) =>
  tasks.flatMap((task) => (['RUNNING', 'SUCCESS'] as const).map((state) => ({ service, flow, task, state }))),
);

const NAMES = new Set(KILL_POINTS.map(nameOf));

export function nameOf({ flow, task, state }: Pick<KillPoint, 'flow' | 'task' | 'state'>): string {
  return `${flow} ${task} ${state}`;
}

export function isKillPoint(name: string): boolean {
  return NAMES.has(name);
}
