import type { FaultName } from '../errors/catalogue.js';

/** What was being done, as user messages name it. Ids from 100 on are ours. Rule: cinder/message/message_field.py, Action. */
export const MESSAGE_ACTIONS = {
  SCHEDULE_ALLOCATE_VOLUME: { id: '001', text: 'schedule allocate volume' },
  COPY_VOLUME_TO_IMAGE: { id: '003', text: 'copy volume to image' },
  EXTEND_VOLUME: { id: '007', text: 'extend volume' },
  CREATE_VOLUME_FROM_BACKEND: { id: '008', text: 'create volume from backend storage' },
  SNAPSHOT_CREATE: { id: '009', text: 'create snapshot' },
  SNAPSHOT_DELETE: { id: '010', text: 'delete snapshot' },
  REIMAGE_VOLUME: { id: '016', text: 'reimage volume' },
  DELETE_VOLUME: { id: '100', text: 'delete volume' },
  RETYPE_VOLUME: { id: '101', text: 'retype volume' },
  MIGRATE_VOLUME: { id: '102', text: 'migrate volume' },
  MANAGE_VOLUME: { id: '103', text: 'manage volume' },
  REVERT_VOLUME: { id: '104', text: 'revert volume to snapshot' },
} as const;

/** What went wrong, as user messages name it. Rule: cinder/message/message_field.py, Detail. */
export const MESSAGE_DETAILS = {
  UNKNOWN_ERROR: { id: '001', text: 'An unknown error occurred.' },
  DRIVER_NOT_INITIALIZED: { id: '002', text: 'Driver is not initialized at present.' },
  NO_BACKEND_AVAILABLE: { id: '003', text: 'Could not find any available weighted backend.' },
  DRIVER_FAILED_CREATE: { id: '012', text: 'Driver failed to create the volume.' },
  DRIVER_FAILED_DELETE: { id: '100', text: 'Driver failed to delete the volume.' },
  BACKEND_AWAY: { id: '101', text: 'The storage of the volume is away.' },
} as const;

export type MessageAction = keyof typeof MESSAGE_ACTIONS;
export type MessageDetail = keyof typeof MESSAGE_DETAILS;

/** The detail a fault stands for by its name, whatever was being done. Rule: Detail.EXCEPTION_DETAIL_MAPPINGS. */
export function detailByName(error: unknown): MessageDetail | undefined {
  return error instanceof Error ? BY_FAULT[error.name as FaultName] : undefined;
}

const BY_FAULT: Partial<Record<FaultName, MessageDetail>> = {
  DriverNotInitialized: 'DRIVER_NOT_INITIALIZED',
  NoValidBackend: 'NO_BACKEND_AVAILABLE',
};
