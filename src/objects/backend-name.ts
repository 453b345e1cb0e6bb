/** Parts of a `host@backend#pool` name. Rule: cinder/volume/volume_utils.py, `extract_host` and `append_host`. */

/** `host@backend#pool` → `host@backend`. */
export function backendOf(name: string): string {
  const hash = name.indexOf('#');
  return hash < 0 ? name : name.slice(0, hash);
}

/** `host@backend#pool` → `host`. */
export function hostOf(name: string): string {
  const backend = backendOf(name);
  const at = backend.indexOf('@');
  return at < 0 ? backend : backend.slice(0, at);
}

/** `host@backend#pool` → `pool`; undefined unless there is exactly one `#`. */
export function poolOf(name: string): string | undefined {
  const pieces = name.split('#');
  return pieces.length === 2 ? pieces[1] : undefined;
}

/** Appends a pool; the backend comes back untouched when there is none. */
export function withPool(backend: string, pool: string): string {
  return backend && pool ? `${backend}#${pool}` : backend;
}

/** Whether `name` is `host`, or one of its backends. */
export function isOfHost(name: string, host: string): boolean {
  return name === host || name.startsWith(`${host}@`);
}
