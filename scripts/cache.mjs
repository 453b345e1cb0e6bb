import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/**
 * Our own cache folder, made if need be: `$XDG_CACHE_HOME/cinder-grpc`, else `~/.cache/cinder-grpc`, else (a user without
 * a home, e.g. nobody) a folder of the user's own below the machine's temporary one.
 * @param {NodeJS.ProcessEnv} env
 * @returns {string}
 */
export function cacheFolder(env) {
  const wanted = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  try {
    const folder = join(wanted, 'cinder-grpc');
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return privateTemporaryFolder();
  }
}

/** Everybody may write to the temporary folder, so one that another user made in our name is refused. */
function privateTemporaryFolder() {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `cinder-grpc-cache-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (statSync(folder).uid !== uid)
    throw new Error(`${folder} belongs to another user; set XDG_CACHE_HOME to a folder of yours.`);
  return folder;
}
