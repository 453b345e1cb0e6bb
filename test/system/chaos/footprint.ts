import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Estate } from './estate.js';
import type { Member } from './member.js';

/** What a process holds. */
export interface Footprint {
  /** Resident memory, MiB, without pages of files, which the kernel takes and gives back as it pleases. */
  readonly rssMib: number;
  /** Open files of all kinds. */
  readonly files: number;
  /** Of these, sockets that listen. */
  readonly listeners: number;
}

/** What an estate holds, outside its processes too. */
export interface EstateFootprint {
  readonly members: ReadonlyMap<string, Footprint>;
  /** Connections that PostgreSQL has of the product, and those that the product has through the proxies. */
  readonly sql: Connections;
  /** The same of Redis. */
  readonly redis: Connections;
}

export interface Connections {
  readonly atServer: number;
  readonly ofMembers: number;
}

/** The connection that is asked. */
const OWN_CLIENTS = 1;

/** What everything holds now, garbage apart. Every member must serve. */
export async function footprintOf(estate: Estate): Promise<EstateFootprint> {
  await Promise.all(estate.members.map((member) => member.collectGarbage()));
  const [row] = await estate.query<{ count: number }>(
    "select count(*)::int as count from pg_stat_activity where application_name = 'cinder-grpc'",
  );
  const clients = String(await estate.redis.admin.client('LIST'))
    .trim()
    .split('\n');
  const open = (side: 'sql' | 'redis'): number =>
    estate.members.reduce((sum, { proxies }) => sum + proxies[side].open, 0);
  return {
    members: new Map(estate.members.map((member) => [member.name, footprintOfMember(member)])),
    sql: { atServer: row?.count ?? 0, ofMembers: open('sql') },
    redis: { atServer: clients.length - OWN_CLIENTS, ofMembers: open('redis') },
  };
}

export function footprintOfMember({ name, pid }: Member): Footprint {
  if (pid === undefined) throw new Error(`${name} does not serve`);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  // what was swapped out is only somewhere else
  const kib = ['RssAnon', 'RssShmem', 'VmSwap'].reduce((sum, field) => sum + kibOf(status, field), 0);
  const sockets = new Set<string>();
  const folder = `/proc/${pid}/fd`;
  const descriptors = readdirSync(folder);
  for (const descriptor of descriptors) {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${descriptor}`)) ?? [];
    if (inode !== undefined) sockets.add(inode);
  }
  const listeners = listeningInodes(pid).filter((inode) => sockets.has(inode)).length;
  return { rssMib: kib / 1_024, files: descriptors.length, listeners };
}

function kibOf(status: string, field: string): number {
  const [, kib = '0'] = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status) ?? [];
  return Number(kib);
}

/** One that was closed meanwhile has none. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

const LISTEN = '0A';

function listeningInodes(pid: number): readonly string[] {
  return ['tcp', 'tcp6'].flatMap((family) => {
    const [, ...lines] = readFileSync(`/proc/${pid}/net/${family}`, 'utf8').trim().split('\n');
    const rows = lines.map((line) => line.trim().split(/\s+/));
    return rows.filter(([, , , state]) => state === LISTEN).map((fields) => fields[9] ?? '');
  });
}
