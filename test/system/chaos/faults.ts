import { setTimeout as pause } from 'node:timers/promises';
import type { Estate } from './estate.js';
import { type KillPoint, nameOf } from './kill-points.js';
import type { Member } from './member.js';
import type { PlannedFault, Round } from './schedule.js';

/** How long the steps of flows are waited for, beyond the end of their round. */
const POINT_PATIENCE_MS = 20_000;
/** As long as the schedule's own freezes. */
const FREEZE_AT_POINT_MS = 4_000;

/** Does to an estate what a schedule says, and undoes what does not end by itself. */
export class Faults {
  readonly #estate: Estate;
  /** What is waited for at a member, one after the other. */
  readonly #lanes = new Map<Member, Promise<void>>();
  /** Steps at which nobody came by in time: they are tried again in the next round. */
  readonly #missed: KillPoint[] = [];
  readonly #counts = new Map<string, number>();
  readonly #hit = new Set<string>();
  /** Redis and PostgreSQL: one that is down is not taken down. */
  readonly #servers = new Map<string, Promise<void>>();

  constructor(estate: Estate) {
    this.#estate = estate;
  }

  /** Faults that were done, by kind. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Names of the steps at which a process has ended. */
  get hit(): ReadonlySet<string> {
    return this.#hit;
  }

  /** Does all that a round has; answers when nothing of it is in force any more. */
  async run({ faults, loadMs }: Round): Promise<void> {
    const begun = performance.now();
    const endsAt = begun + loadMs + POINT_PATIENCE_MS;
    const missed = this.#missed.splice(0).map((point, index): PlannedFault => ({
      ...{ kind: 'point', atMs: 0, service: point.service, member: index % 2 === 0 ? 0 : 1, point, signal: 'SIGKILL' },
    }));
    await Promise.all([
      pause(loadMs),
      ...[...missed, ...faults].map(async (fault) => {
        await pause(Math.max(0, begun + fault.atMs - performance.now()));
        await this.#do(fault, endsAt);
      }),
    ]);
    for (const proxy of this.#estate.proxies) proxy.heal();
    for (const member of this.#estate.members) member.signal('SIGCONT');
  }

  async #do(fault: PlannedFault, endsAt: number): Promise<void> {
    const member = this.#estate.of(fault.service)[fault.member];
    if (!member) throw new Error(`no ${fault.service} ${fault.member}`);
    if (fault.kind === 'point') return this.#inLane(member, () => this.#atPoint(member, fault, endsAt));
    this.#count(fault.kind);
    switch (fault.kind) {
      case 'kill':
        member.signal('SIGKILL');
        return;
      case 'freeze':
        member.signal('SIGSTOP');
        await pause(fault.forMs);
        member.signal('SIGCONT');
        return;
      case 'cut':
        member.proxies[fault.side].cut();
        return;
      case 'delay':
        member.proxies[fault.side].delay(fault.delayMs);
        await pause(fault.forMs);
        member.proxies[fault.side].delay(0);
        return;
      case 'hold':
        member.proxies[fault.side].hold();
        await pause(fault.forMs);
        member.proxies[fault.side].release();
        return;
      case 'redis':
        return this.#down(
          'redis',
          fault.forMs,
          () => this.#estate.redis.kill(),
          () => this.#estate.redis.start(),
        );
      case 'postgres': {
        const { postgres } = this.#estate;
        const end = fault.how === 'crash' ? () => postgres.crash() : () => postgres.stop();
        return this.#down('postgres', fault.forMs, end, () => postgres.start());
      }
    }
  }

  async #atPoint(member: Member, fault: PlannedFault & { kind: 'point' }, endsAt: number): Promise<void> {
    const name = nameOf(fault.point);
    const before = member.hits.length;
    let run: number | undefined;
    while (performance.now() < endsAt) {
      // a new run knows nothing of what the last one was told
      if (member.pid !== run && member.arm({ point: name, signal: fault.signal })) run = member.pid;
      await pause(20);
      if (!member.hits.slice(before).includes(name)) continue;
      this.#hit.add(name);
      this.#count(fault.signal === 'SIGKILL' ? 'kill at a step' : 'freeze at a step');
      if (fault.signal === 'SIGKILL') return;
      await pause(FREEZE_AT_POINT_MS);
      member.signal('SIGCONT');
      return;
    }
    this.#missed.push(fault.point);
  }

  #inLane(member: Member, work: () => Promise<void>): Promise<void> {
    const done = (this.#lanes.get(member) ?? Promise.resolve()).then(work);
    this.#lanes.set(
      member,
      done.catch(() => undefined),
    );
    return done;
  }

  async #down(name: string, forMs: number, end: () => Promise<void>, start: () => Promise<void>): Promise<void> {
    const done = (this.#servers.get(name) ?? Promise.resolve()).then(async () => {
      await end();
      await pause(forMs);
      await start();
    });
    this.#servers.set(name, done);
    return done;
  }

  #count(kind: string): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }
}
