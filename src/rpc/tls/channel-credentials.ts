import { type Socket, isIP } from 'node:net';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { CallCredentials, ChannelCredentials, experimental } from '@grpc/grpc-js';
import { contextOf } from './material.js';
import { HANDSHAKE_TIMEOUT_MS, type LiveMaterial } from './server-credentials.js';

/**
 * Credentials of a client that shows a certificate of its own and believes the material's authorities only, never the
 * system's. New connections use the newest certificates. A peer must have a certificate for the host name or the address that
 * it is called by, or for `serverName` where that is given.
 */
export class LiveChannelCredentials extends ChannelCredentials {
  readonly #serverName: string | undefined;
  #context: SecureContext;

  constructor(material: LiveMaterial, serverName?: string) {
    super();
    this.#serverName = serverName;
    this.#context = createSecureContext(contextOf(material.value));
    material.onChange((next) => (this.#context = createSecureContext(contextOf(next))));
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(
    target: experimental.GrpcUri,
    _options: object,
    callCredentials: CallCredentials = CallCredentials.createEmpty(),
  ): experimental.SecureConnector {
    const name = this.#serverName ?? experimental.splitHostPort(target.path)?.host ?? target.path;
    return {
      connect: (socket) => secured(socket, name, this.#context),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }
}

/** Shakes hands on a connection. grpc-js's own connector would send addresses as server names, which RFC 6066 §3 forbids. */
function secured(
  socket: Socket,
  name: string,
  secureContext: SecureContext,
): Promise<experimental.SecureConnectResult> {
  return new Promise((resolve, reject) => {
    const tls = connect({
      socket,
      host: name,
      ...(isIP(name) === 0 && { servername: name }),
      secureContext,
      ALPNProtocols: ['h2'],
    });
    const late = setTimeout(
      () => tls.destroy(new Error(`no TLS handshake within ${HANDSHAKE_TIMEOUT_MS} ms`)),
      HANDSHAKE_TIMEOUT_MS,
    );
    const ended = (): void => failed(new Error('the peer ended the connection during the TLS handshake'));
    const failed = (error: Error): void => {
      clearTimeout(late);
      reject(error);
    };
    tls.once('error', failed);
    tls.once('close', ended);
    tls.once('secureConnect', () => {
      clearTimeout(late);
      tls.off('error', failed);
      tls.off('close', ended);
      resolve({ socket: tls, secure: true });
    });
  });
}
