import { readFile } from 'node:fs/promises';
import test from 'ava';
import type { Over } from '#src/errors/catalogue.js';
import { Fault } from '#src/errors/fault.js';
import { checkVolumeSize, limitCheck, overflow, overQuota } from '#src/quota/over-quota.js';

interface OverErrorCase {
  readonly id: string;
  readonly input: { readonly action: Action };
  readonly expect: { readonly error?: string; readonly args?: Record<string, unknown>; readonly over?: OverFacts };
}

interface OverFacts {
  readonly overs: readonly string[];
  readonly quotas: Readonly<Record<string, number>>;
  readonly usages: Readonly<Record<string, { readonly in_use: number; readonly reserved: number }>>;
}

interface Action extends Partial<OverFacts> {
  readonly do: string;
  readonly size?: number | null;
  readonly resource?: string;
  readonly volumes?: readonly string[];
}

interface LimitCheckCase {
  readonly id: string;
  readonly input: {
    readonly config: { readonly per_volume_size_limit?: number; readonly use_default_quota_class?: boolean };
    readonly classes: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
    readonly overrides: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
    readonly context: { readonly project: string; readonly quota_class?: string };
    readonly project?: string;
    readonly values: Readonly<Record<string, number>>;
  };
  readonly expect: {
    readonly outcome: string;
    readonly error?: string;
    readonly overs?: string[];
    readonly unknown?: string[];
    readonly unders?: string[];
  };
}

async function vectors<Case>(name: string): Promise<readonly Case[]> {
  const file = new URL(`../../../test/vectors/quota/${name}.json`, import.meta.url);
  return (JSON.parse(await readFile(file, 'utf8')) as { cases: readonly Case[] }).cases;
}

const NO_TYPES = { typeNames: new Map<string, string>() };

/** Cinder's answer for volumes depends on what is over alone; how it came to be over is the scripts' business. */
test('volume actions that are over end in the error, and with the figures, of the real Cinder', async (t) => {
  const wrong: unknown[] = [];
  let compared = 0;
  for (const { id, input, expect } of await vectors<OverErrorCase>('over_error')) {
    const { action } = input;
    const concernsVolumes = ['create_volume', 'retype'].includes(action.do) || action.resource === 'volumes';
    const facts = action.do === 'process' ? (action as OverFacts) : expect.over;
    if (!concernsVolumes || !facts || expect.error === 'VolumeSizeExceedsLimit') continue;
    const { over, ...shown } = overQuota(overOf(facts), { sizeGib: action.size ?? 0, ...NO_TYPES }).facts as Record<
      string,
      unknown
    >;
    const fault = overQuota(overOf(facts), { sizeGib: action.size ?? 0, ...NO_TYPES });
    const { requested, ...args } = expect.args ?? {};
    const { requested: asked, ...own } = shown;
    const sameRequest = typeof action.size !== 'number' || requested === asked;
    const allNamed =
      (over as readonly Over[]).map(({ resource }) => resource).join() === [...facts.overs].sort().join();
    compared += 1;
    if (
      fault.name !== expect.error ||
      JSON.stringify(sorted(own)) !== JSON.stringify(sorted(args)) ||
      !sameRequest ||
      !allNamed
    ) {
      wrong.push({ id, got: fault.name, own, expected: expect });
    }
  }
  t.true(compared >= 20, `only ${compared} cases`);
  t.deepEqual(wrong, []);
});

test('limit checks end as in the real Cinder', async (t) => {
  const wrong: unknown[] = [];
  let compared = 0;
  for (const { id, input, expect } of await vectors<LimitCheckCase>('limit_check')) {
    if (input.context.quota_class !== undefined) continue; // a caller's own class is not built
    const answer = limitCheck(input.values, limitOf(input));
    const got =
      answer.answer === 'over'
        ? answer.over.map(({ resource }) => resource)
        : 'resources' in answer
          ? answer.resources
          : [];
    const expected = expect.overs ?? expect.unknown ?? expect.unders ?? [];
    const word = expect.error
      ? { QuotaResourceUnknown: 'unknown', InvalidQuotaValue: 'negative' }[expect.error]
      : expect.outcome;
    compared += 1;
    if (answer.answer !== word || got.join() !== expected.join()) wrong.push({ id, answer, expect });
  }
  t.true(compared >= 30, `only ${compared} cases`);
  t.deepEqual(wrong, []);
});

test('a user sees the name of a type, not its id, and every resource that is over', (t) => {
  const over = [row('volumes_1111', 1), row('gigabytes_1111', 5)];
  const fault = overQuota(over, { sizeGib: 3, typeNames: new Map([['1111', 'fast']]) });
  t.true(Fault.is(fault, 'VolumeSizeExceedsAvailableQuota'));
  if (!Fault.is(fault, 'VolumeSizeExceedsAvailableQuota')) return;
  t.deepEqual(fault.facts, {
    ...{ name: 'gigabytes_fast', requested: 3, consumed: 0, quota: 5 },
    over: [row('gigabytes_fast', 5), row('volumes_fast', 1)],
  });
});

test('an overflow is an error of its own', (t) => {
  const fault = overflow([row('gigabytes_1111', -1)], new Map([['1111', 'fast']]));
  t.is(fault.name, 'QuotaUsageOverflow');
  t.regex(fault.message, /gigabytes_fast/);
});

test('one volume larger than a volume may be is refused whatever is free', (t) => {
  const upTo = (limit: number) => (resource: string) => (resource === 'per_volume_gigabytes' ? limit : -1);
  t.notThrows(() => checkVolumeSize(10, upTo(10)));
  t.notThrows(() => checkVolumeSize(10, upTo(-1)));
  const error = t.throws(() => checkVolumeSize(11, upTo(10)), { name: 'VolumeSizeExceedsLimit' });
  t.is(error.message, 'Requested volume size 11G is larger than maximum allowed limit 10G.');
});

function overOf({ overs, quotas, usages }: OverFacts): Over[] {
  return overs.map((resource) => ({
    ...{ resource, limit: quotas[resource] ?? -1, asked: 1 },
    ...{ inUse: usages[resource]?.in_use ?? 0, reserved: usages[resource]?.reserved ?? 0 },
  }));
}

function row(resource: string, limit: number): Over {
  return { resource, limit, inUse: 0, reserved: 0, asked: 1 };
}

function limitOf({ config, classes, overrides, context, project }: LimitCheckCase['input']) {
  const own = overrides[project ?? context.project] ?? {};
  const byClass = config.use_default_quota_class === false ? {} : (classes['default'] ?? {});
  const option = (name: string) => (name === 'per_volume_gigabytes' ? (config.per_volume_size_limit ?? -1) : -1);
  return (name: string) => own[name] ?? byClass[name] ?? option(name);
}

function sorted(object: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(object).sort());
}
