import test from 'ava';
import { RowCountMismatch } from '#src/db/store.js';
import { type Check, checkOfLists, NotMended, type Page, type Range, type Suspect } from '#src/doctor/check.js';
import { diagnose, type DiagnosisOptions, type Said } from '#src/doctor/diagnosis.js';

const EVER = new AbortController().signal;
const LOOK: DiagnosisOptions = { repair: false, confirmAfterMs: 1, signal: EVER };

test('a suspect is a finding when a second look shows it with the same sign', async (t) => {
  const looks = [
    [suspect('stays'), suspect('moves', '1'), suspect('goes')],
    [suspect('moves', '2'), suspect('stays')],
  ];
  const said = await all(diagnose([checkOf(looks.map((suspects) => ({ examined: 3, suspects })))], LOOK));

  t.deepEqual(
    said.flatMap((each) => ('finding' in each ? [each.finding.resource] : [])),
    ['stays'],
  );
  t.deepEqual(
    said.filter((each) => 'examined' in each),
    [{ examined: { subject: 'work', count: 3 } }],
  );
});

test('what shows up only at the second look is not a finding yet', async (t) => {
  const looks = [
    { examined: 1, suspects: [suspect('first')] },
    { examined: 1, suspects: [suspect('second')] },
  ];
  t.deepEqual(findings(await all(diagnose([checkOf(looks)], LOOK))), []);
});

test('a system without suspects is looked at once, and without a pause', async (t) => {
  const ranges: Range[] = [];
  const check: Check = {
    subject: 'work',
    look: async (range) => {
      ranges.push(range);
      return range.after === '' ? { examined: 2, suspects: [], last: 'b' } : { examined: 1, suspects: [] };
    },
  };
  const said = await all(diagnose([check], { ...LOOK, confirmAfterMs: 3_600_000 }));
  t.deepEqual(said, [{ examined: { subject: 'work', count: 3 } }]);
  t.deepEqual(ranges, [{ after: '' }, { after: 'b' }]);
});

test('the second look is at the same part, however many things are in it by then', async (t) => {
  const ranges: Range[] = [];
  const check: Check = {
    subject: 'work',
    look: async (range) => {
      ranges.push(range);
      if (range.after !== '') return { examined: 0, suspects: [] };
      return { examined: 1, suspects: [suspect('a')], last: 'a' };
    },
  };
  t.is(findings(await all(diagnose([check], LOOK))).length, 1);
  t.deepEqual(ranges, [{ after: '' }, { after: 'a' }, { after: '', until: 'a' }]);
});

test('a diagnosis waits once for all its suspects, and a repair for those of each check', async (t) => {
  const checks = ['a', 'b', 'c', 'd'].map((name) => checkOf([{ examined: 1, suspects: [suspect(name)] }]));
  const took = async (repair: boolean): Promise<number> => {
    const begun = performance.now();
    t.is(findings(await all(diagnose(checks, { repair, confirmAfterMs: 100, signal: EVER }))).length, 4);
    return performance.now() - begun;
  };
  const [look, repair] = [await took(false), await took(true)];
  t.true(look >= 99 && look < repair, `${look} ms, ${repair} ms`);
  t.true(repair >= 396, `${repair} ms`);
});

test('a repair is done once, and only when it is asked for', async (t) => {
  const repaired: string[] = [];
  const mendable = suspect('a', '', async () => {
    repaired.push('a');
    return 'it was mended';
  });
  const check = checkOf([{ examined: 1, suspects: [mendable, suspect('b')] }]);

  t.false(findings(await all(diagnose([check], LOOK)))[0]?.repaired);
  t.deepEqual(repaired, []);

  const [first, second] = findings(await all(diagnose([check], { ...LOOK, repair: true })));
  t.like(first, { resource: 'a', repaired: true, remedy: 'it was mended' });
  t.like(second, { resource: 'b', repaired: false });
  t.deepEqual(repaired, ['a']);
});

test('a repair that comes too late is no error, any other failure is', async (t) => {
  const late = suspect('a', '', () => Promise.reject(new RowCountMismatch(0, 1, 0)));
  const [finding] = findings(
    await all(diagnose([checkOf([{ examined: 1, suspects: [late] }])], { ...LOOK, repair: true })),
  );
  t.false(finding?.repaired);
  t.regex(finding?.remedy ?? '', /changed meanwhile/);

  const broken = suspect('a', '', () => Promise.reject(new Error('no disk')));
  const check = checkOf([{ examined: 1, suspects: [broken] }]);
  await t.throwsAsync(all(diagnose([check], { ...LOOK, repair: true })), { message: 'no disk' });
});

test('what cannot be mended says why, and the rest is mended all the same', async (t) => {
  const stubborn = suspect('a', '', () => Promise.reject(new NotMended('it is a folder')));
  const other = suspect('b', '', () => Promise.resolve('it was mended'));
  const check = checkOf([{ examined: 2, suspects: [stubborn, other] }]);
  const found = findings(await all(diagnose([check], { ...LOOK, repair: true })));
  t.like(found, [
    { resource: 'a', repaired: false, remedy: 'nothing was done: it is a folder' },
    { resource: 'b', repaired: true },
  ]);
});

test('a diagnosis that is called off ends at once, with the reason', async (t) => {
  const stopping = new AbortController();
  const check: Check = {
    subject: 'work',
    look: async () => {
      setImmediate(() => stopping.abort(new Error('enough')));
      return { examined: 1, suspects: [suspect('a')] };
    },
  };
  const run = all(diagnose([check], { ...LOOK, confirmAfterMs: 3_600_000, signal: stopping.signal }));
  await t.throwsAsync(run, { message: 'enough' });
});

test('what could not be looked at, and then can, is looked at after all', async (t) => {
  const blind: Page = { examined: 0, suspects: [suspect('silent')], isBlind: true };
  const seeing: Page = { examined: 5, suspects: [suspect('wrong')] };
  const said = await all(diagnose([checkOf([blind, seeing])], LOOK));
  t.deepEqual(
    findings(said).map(({ resource }) => resource),
    ['wrong'],
  );
  t.deepEqual(
    said.filter((each) => 'examined' in each),
    [{ examined: { subject: 'work', count: 5 } }],
  );

  const never = await all(diagnose([checkOf([blind])], LOOK));
  t.deepEqual(
    findings(never).map(({ resource }) => resource),
    ['silent'],
  );
});

test('lists that nobody knows before are asked for once, and may be none', async (t) => {
  let asked = 0;
  const named = checkOfLists(
    'storage',
    async () => {
      asked += 1;
      return ['a b', 'c'];
    },
    async (list) => ({ examined: list.length, suspects: [] }),
  );
  t.deepEqual(await all(diagnose([named], LOOK)), [{ examined: { subject: 'storage', count: 4 } }]);
  t.is(asked, 1);
  const none = checkOfLists(
    'storage',
    async () => [],
    () => Promise.reject(new Error('nothing to look at')),
  );
  t.deepEqual(await all(diagnose([none], LOOK)), [{ examined: { subject: 'storage', count: 0 } }]);
});

test('several lists are gone through one after the other, each to its end', async (t) => {
  const lists = new Map([
    ['a', ['1', '2', '3']],
    ['b', []],
    ['c', ['4']],
  ]);
  const seen: string[] = [];
  const check = checkOfLists('work', [...lists.keys()], async (list, { after, until = '~' }) => {
    const page = (lists.get(list) ?? []).filter((each) => each > after && each <= until).slice(0, 2);
    seen.push(...page.map((each) => `${list}${each}`));
    const last = page.length < 2 ? undefined : page.at(-1);
    return { examined: page.length, suspects: [], ...(last !== undefined && { last }) };
  });
  const said = await all(diagnose([check], LOOK));
  t.deepEqual(seen, ['a1', 'a2', 'a3', 'c4']);
  t.deepEqual(said, [{ examined: { subject: 'work', count: 4 } }]);
});

function suspect(resource: string, sign = '', repair?: Suspect['repair']): Suspect {
  return { kind: 'claims_differ', resource, description: 'words', sign, ...(repair && { repair }) };
}

/** Answers one page a look; the last one for ever. */
function checkOf(pages: readonly Page[]): Check {
  let nth = 0;
  return {
    subject: 'work',
    look: async () => pages[Math.min(nth++, pages.length - 1)] ?? { examined: 0, suspects: [] },
  };
}

async function all(said: AsyncIterable<Said>): Promise<readonly Said[]> {
  const list: Said[] = [];
  for await (const each of said) list.push(each);
  return list;
}

const findings = (said: readonly Said[]) => said.flatMap((each) => ('finding' in each ? [each.finding] : []));
