import { ServerCredentials } from '@grpc/grpc-js';
import { contextOf, type TlsMaterial } from './material.js';

/** Certificates that may be replaced while they are in use. */
export interface LiveMaterial {
  readonly value: TlsMaterial;
  /** Told of every new value. */
  onChange(listener: (material: TlsMaterial) => void): void;
}

/**
 * Credentials of a server. New handshakes get the newest certificates, connections that stand live on. With authorities in
 * the material, a client must show a certificate that one of them has signed.
 */
export class LiveServerCredentials extends ServerCredentials {
  constructor(material: LiveMaterial) {
    const asksClients = material.value.ca !== undefined;
    super(
      { requestCert: asksClients, rejectUnauthorized: asksClients, handshakeTimeout: HANDSHAKE_TIMEOUT_MS },
      contextOf(material.value),
    );
    material.onChange((next) => this.updateSecureContextOptions(contextOf(next)));
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

/** How long a handshake may take, ms: a peer that begins none holds a socket, and nothing more. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
