import type { ScriptText } from './script.js';

/** What a server says of itself, as far as we depend on it. */
export interface Inspection {
  /** `run_id:master_replid`: another one after a restart, a failover, and a promotion of a demoted primary. */
  readonly token: string;
  /** Why it cannot be used, in an operator's words. */
  readonly refusal: string | undefined;
  /** Whether the refusal may pass by itself: with a load, or a failover. */
  readonly passes: boolean;
  readonly appendOnly: boolean;
}

/** What a connection expects a server to be. */
export type ServerMode = 'standalone' | 'cluster';

/** Reads the reply of `INFO`. */
export function inspect(info: string, mode: ServerMode = 'standalone'): Inspection {
  const fields = new Map(info.split('\r\n').map((line) => cut(line)));
  const token = `${fields.get('run_id') ?? ''}:${fields.get('master_replid') ?? ''}`;
  const isLoading = fields.get('loading') === '1';
  const isReplica = fields.get('role') !== 'master';
  const refused = refusal(fields, token, mode);
  const passing = isLoading
    ? 'it is still loading its data'
    : isReplica
      ? 'it is a replica; the primary is needed'
      : undefined;
  return {
    token,
    refusal: refused ?? passing,
    passes: refused === undefined && passing !== undefined,
    appendOnly: fields.get('aof_enabled') === '1',
  };
}

/**
 * One incarnation of a server as one connection has met it. Scripts are loaded into it with its token as their first
 * line, so a script can only run where it was meant to: elsewhere its SHA-1 is unknown.
 */
export class Incarnation {
  readonly #shas = new Map<ScriptText, string>();
  readonly #loading = new Map<ScriptText, Promise<string>>();

  constructor(readonly token: string) {}

  /** The SHA-1 of a script that is loaded. */
  sha(script: ScriptText): string | undefined {
    return this.#shas.get(script);
  }

  /** Loads a script, once however many ask at the same time. */
  async load(script: ScriptText, load: (text: string) => Promise<string>): Promise<string> {
    let loading = this.#loading.get(script);
    if (!loading) {
      loading = load(`local TOK = "${this.token}"\n${script.text}`);
      this.#loading.set(script, loading);
    }
    try {
      const sha = await loading;
      this.#shas.set(script, sha);
      return sha;
    } finally {
      this.#loading.delete(script);
    }
  }
}

function refusal(fields: ReadonlyMap<string, string>, token: string, expected: ServerMode): string | undefined {
  const mode = fields.get('redis_mode') ?? 'standalone';
  if (mode === 'sentinel') return 'it is a Sentinel; name it in redis_sentinels';
  if (mode !== expected)
    return mode === 'cluster'
      ? 'it is a node of a cluster; name it in redis_cluster_nodes'
      : 'it is no node of a cluster; name it in redis_url';
  const version = fields.get('redis_version') ?? 'unknown';
  if (!(Number.parseInt(version, 10) >= 7)) return `its version is ${version}; 7.0 or newer is needed`;
  if (!/^[0-9a-f]{40}:[0-9a-f]{40}$/.test(token)) return 'it does not tell its run_id and master_replid';
  const policy = fields.get('maxmemory_policy') ?? 'unknown';
  if (policy !== 'noeviction') return `its maxmemory-policy is ${policy}, which loses quota; set it to noeviction`;
  return undefined;
}

function cut(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1)];
}
