import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A command that did not end well; the message has what it printed. */
class CommandFailed extends Error {
  name = 'CommandFailed';
}

const KEPT_CHARACTERS = 200_000;

/**
 * Runs a command to its end and answers what it printed on stdout. Its output is shown only when it fails, in the error.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options] timeout: 15 minutes unless given
 * @returns {Promise<string>}
 */
export function run(command, args, { cwd, env, timeoutMs = 15 * 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    let stdout = '';
    let all = '';
    child.stdout.on('data', (chunk) => {
      stdout = `${stdout}${chunk}`.slice(-KEPT_CHARACTERS);
      all = `${all}${chunk}`.slice(-KEPT_CHARACTERS);
    });
    child.stderr.on('data', (chunk) => (all = `${all}${chunk}`.slice(-KEPT_CHARACTERS)));
    child.on('error', (error) => reject(new CommandFailed(`${command} cannot be run: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(stdout);
      const how = code === null ? `was ended by ${signal}` : `ended with ${code}`;
      reject(new CommandFailed(`\`${[command, ...args].join(' ')}\` ${how}\n${all.trimEnd()}`));
    });
  });
}

/**
 * Full path of a program in the folders of a PATH, as a shell would find it.
 * @param {string} program
 * @param {string | undefined} path
 * @returns {string | undefined}
 */
export function findProgram(program, path) {
  return (path ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
