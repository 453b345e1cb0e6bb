/** Shape of an address to listen at, as `text` options take it. */
export const LISTEN_SHAPE = {
  pattern: /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]?\d{1,4})$/,
  shape: 'HOST:PORT or [IPV6]:PORT, port 0 to 65535',
} as const;

/** Whether only this machine can reach the address. */
export function isLoopback(listen: string): boolean {
  const host = listen.slice(0, listen.lastIndexOf(':'));
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
