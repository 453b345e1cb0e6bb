import type { Amounts } from '../resources.js';

/** What one backup uses, made here or imported; types do not matter. Rule: cinder/backup/api.py, `create`. */
export function backupAmounts(sizeGib: number): Amounts {
  return { backups: 1, backup_gigabytes: sizeGib };
}
