import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a path answers. */
export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface HttpOptions {
  /** `address:port`; port 0: any free one. */
  readonly address: string;
  /** By path, e.g. `/healthz`. */
  readonly pages: Readonly<Record<string, () => Page | Promise<Page>>>;
  /** Told of a page that could not be made. */
  readonly onError: (path: string, error: unknown) => void;
}

/** An HTTP listener that only shows pages. */
export interface HttpListener {
  /** `address:port` with the port that was bound. */
  readonly address: string;
  /** Ends it, with what is open. Safe to repeat. */
  close(): Promise<void>;
}

/** Far more than a scraper and a few probes need; all bounds are against those who want to hold it open. */
const LIMITS = {
  maxHeaderSize: 8_192,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
} as const;
const MAX_CONNECTIONS = 100;

/** Listens. Throws what `listen` throws, e.g. EADDRINUSE. */
export async function listenHttp(options: HttpOptions): Promise<HttpListener> {
  const server = createServer(LIMITS, (request, response) => void answer(options, request, response));
  server.maxConnections = MAX_CONNECTIONS;
  const { host, port } = splitAddress(options.address);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const bound = (server.address() as AddressInfo).port; // it listens at a host and port
  return { address: options.address.replace(/:\d+$/, `:${bound}`), close: () => closed(server) };
}

async function answer(
  { pages, onError }: HttpOptions,
  { method = '', url = '' }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = url.split('?', 1)[0] ?? '';
  const make = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (!make) {
    send(response, text(404, `There are: ${Object.keys(pages).join(' ')}`));
    return;
  }
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    send(response, text(405, 'Only GET and HEAD.'));
    return;
  }
  try {
    send(response, await make());
  } catch (error) {
    onError(path, error);
    send(response, text(500, 'The page could not be made; the log says why.'));
  }
}

function send(response: ServerResponse, { status, contentType, body }: Page): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body); // node leaves it out after HEAD
}

function text(status: number, line: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${line}\n` };
}

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

async function closed(server: Server): Promise<void> {
  const end = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await end;
}
