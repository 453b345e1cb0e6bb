import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A server in a process of its own, so that its CPU can be told from the client's. */
export interface Server {
  readonly address: string;
  /** CPU used so far, ms: the process and, where said, its children. */
  cpuMs(): number;
  /** Resident memory, MiB. */
  rssMib(): number;
  stop(): Promise<void>;
}

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** The bare grpc-js echo: the floor. */
export async function echoServer(): Promise<Server> {
  const child = spawn(process.execPath, [new URL('./echo-server.js', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const address = await firstLine(child, /^listening (\S+)$/);
  return server(child, address, () => undefined);
}

/**
 * The product as its user runs it: `serve all`, embedded store with durable commits, private Redis. `prepare` is given its
 * folder before it starts.
 */
export async function productServer(
  environment: Readonly<Record<string, string>> = {},
  prepare: (folder: string) => Promise<void> = async () => undefined,
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'cinder-bench-'));
  await prepare(folder);
  const config = join(folder, 'cinder-grpc.toml');
  writeFileSync(config, CONFIG);
  const child = spawn(
    process.execPath,
    [new URL('../../../dist/cli/main.js', import.meta.url).pathname, 'serve', 'all'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        CINDER_DATA_DIR: folder,
        CINDER_CONFIG: config,
        CINDER_API_LISTEN: '127.0.0.1:0',
        CINDER_SCHEDULER_LISTEN: '127.0.0.1:0',
        CINDER_VOLUME_LISTEN: '127.0.0.1:0',
        CINDER_METRICS_LISTEN: '127.0.0.1:0',
        CINDER_LOG_LEVEL: 'warn',
        ...environment,
      },
    },
  );
  const address = await firstLine(child, /(127\.0\.0\.1:\d+) cinder\.api\.v3\.Volumes\/CreateVolume/);
  return server(child, address, () => rmSync(folder, { recursive: true, force: true }));
}

/** No quota in the way, and room for every volume of a long run. */
const CONFIG = `
quota_volumes = -1
quota_gigabytes = -1
enabled_backends = ["file"]

[backends.file]
driver = "file"
max_over_subscription_ratio = "100000"
`;

function server(child: ChildProcess, address: string, cleanUp: () => void): Server {
  const pid = child.pid ?? 0;
  // a bench that fails must not leave its servers behind
  process.once('exit', () => child.kill('SIGTERM'));
  return {
    address,
    cpuMs: () => cpuMs(pid),
    rssMib: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      cleanUp();
    },
  };
}

/** User and system time of one process, from /proc. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

async function firstLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  if (!child.stdout) throw new Error('the server has no output');
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const found = pattern.exec(line)?.[1];
    if (found) {
      child.stdout.resume();
      return found;
    }
  }
  throw new Error(`the server ended before it was ready (exit code ${child.exitCode})`);
}
