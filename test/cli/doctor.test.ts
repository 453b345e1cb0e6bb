import test from 'ava';
import { Fault } from '#src/errors/fault.js';
import { FindingKind, Subject } from '#src/gen/cinder/api/v3/diagnostics.js';
import { cli, fakeApiFor } from '../support/cli.js';

const FINDING = {
  kind: FindingKind.FILE_WITHOUT_RECORD,
  resource: 'v1',
  description: 'no record places it in this pool',
  remedy: 'move the file',
  repairable: true,
};
const EXAMINED = [
  { subject: Subject.WORK, count: 3 },
  { subject: Subject.STORAGE, count: 12 },
];
const finding = (more: object = {}) => ({ message: { $case: 'finding', value: { ...FINDING, ...more } } }) as const;
const summary = (findingCount: number, repairedCount: number) =>
  ({ message: { $case: 'summary', value: { examined: EXAMINED, findingCount, repairedCount } } }) as const;

test('a system with nothing wrong ends with 0 and says what was looked at', async (t) => {
  const { address, seen } = await fakeApiFor(t, {
    diagnose: (call) => {
      call.write(summary(0, 0));
      call.end();
    },
  });
  const { code, stdout, stderr } = await cli(['--api', address, 'doctor', '-f', 'json', '--only', 'work']);
  t.deepEqual([code, stdout], [0, '[]\n']);
  t.is(stderr, 'Looked at: work 3, storage 12. Found 0, mended 0, left 0.\n');
  t.deepEqual(seen[0]?.request, { subjects: [Subject.WORK] });
});

test('findings are a table, and end the command with 1', async (t) => {
  const { address } = await fakeApiFor(t, {
    diagnose: (call) => {
      call.write(finding());
      call.write(summary(1, 0));
      call.end();
    },
  });
  const { code, stdout, stderr } = await cli(['--api', address, 'doctor']);
  t.is(code, 1);
  t.is(
    stdout,
    [
      '+---------------------+----------+----------------------------------+----------+---------------+',
      '| Kind                | Resource | Finding                          | Repaired | Remedy        |',
      '+---------------------+----------+----------------------------------+----------+---------------+',
      '| file_without_record | v1       | no record places it in this pool | false    | move the file |',
      '+---------------------+----------+----------------------------------+----------+---------------+',
      '',
    ].join('\n'),
  );
  t.regex(stderr, /Found 1, mended 0, left 1\./);
});

test('a repair that leaves nothing ends with 0', async (t) => {
  const { address } = await fakeApiFor(t, {
    repair: (call) => {
      call.write(finding({ repaired: true }));
      call.write(summary(1, 1));
      call.end();
    },
  });
  const { code, stdout } = await cli(['--api', address, 'doctor', '--repair', '-f', 'value', '-c', 'Repaired']);
  t.deepEqual([code, stdout], [0, 'true\n']);
});

test('a diagnosis that breaks off shows what it has found, and is no clean one', async (t) => {
  const { address } = await fakeApiFor(t, {
    repair: (call) => {
      call.write(finding({ repaired: true }));
      call.end();
    },
    diagnose: (call) => {
      call.write(finding());
      call.emit('error', new Fault('QuotaUnavailable', { reason: 'Redis does not answer' }));
    },
  });
  for (const command of [['doctor'], ['doctor', '--repair']]) {
    const { code, stdout } = await cli(['--api', address, ...command, '-f', 'value', '-c', 'Resource']);
    t.deepEqual([code, stdout], [1, 'v1\n'], command.join(' '));
  }
});
