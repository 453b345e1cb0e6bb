import type { Value } from './python/value.js';

/** Spellings that mean the same protocol. Rule: cinder/common/constants.py. */
const FAMILIES: readonly (readonly string[])[] = [
  ['iSCSI', 'iscsi'],
  ['FC', 'fibre_channel', 'fc'],
  ['NFS', 'nfs'],
  ['NVMe-oF', 'NVMeOF', 'nvmeof'],
];

/** All spellings of a protocol, so that a type's spec matches any of them; what has no variants comes back as it is. */
export function protocolVariants(protocol: Value): Value {
  return FAMILIES.find((family) => typeof protocol === 'string' && family.includes(protocol)) ?? protocol;
}
