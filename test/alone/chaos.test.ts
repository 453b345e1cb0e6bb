import test, { type ExecutionContext } from 'ava';
import { hasPostgres } from '../support/postgres-server.js';
import { chaos } from '../system/chaos/run.js';

const postgresSerial = hasPostgres ? test.serial : test.serial.skip;

const MINUTES = 2;
/** A run, what it waits for on a slow machine, its start and its end. */
const TIMEOUT_MS = 9 * 60_000;
const FIXED_SEED = 1;
const LOGGED = 20_000;

async function holds(t: ExecutionContext, seed: number): Promise<void> {
  t.timeout(TIMEOUT_MS);
  t.log(`npm run chaos -- --minutes ${MINUTES} --seed ${seed}`);
  const { problems, figures, logs } = await chaos(t, { seed, minutes: MINUTES, say: (line) => t.log(line) });
  t.log(figures);
  if (problems.length > 0) for (const [name, log] of logs) t.log(`${name}:\n${log.slice(-LOGGED)}`);
  t.deepEqual(problems, []);
}

postgresSerial(
  'a cluster that is killed at every step and disturbed at any time loses nothing and leaves nothing',
  (t) => holds(t, FIXED_SEED),
);

postgresSerial('so does one whose faults nobody has seen before', (t) => holds(t, Date.now() % 2 ** 31));
