import { randomBytes } from 'node:crypto';
import { statement } from './statement.js';
import type { Store } from './store.js';

const SECRET_BYTES = 32;

/**
 * A random secret of this installation, 32 bytes, made when it is first asked for. All processes get the same one,
 * whoever makes it.
 */
export async function installationSecret(store: Store, name: string): Promise<Buffer> {
  const known = await store.read(find.with({ name }));
  if (known[0]) return Buffer.from(known[0].value, 'hex');
  await store.apply([{ statement: offer.with({ name, value: randomBytes(SECRET_BYTES).toString('hex') }) }]);
  const [made] = await store.read(find.with({ name }));
  if (!made) throw new Error(`the secret ${name} was not kept`);
  return Buffer.from(made.value, 'hex');
}

const find = statement<{ name: string }>()(({ db }, p) =>
  db.selectFrom('secrets').select('value').where('name', '=', p.name),
);

/** The first offer is the secret. */
const offer = statement<{ name: string; value: string }>()(({ db, now }, p) =>
  db
    .insertInto('secrets')
    .values({ name: p.name, value: p.value, created_at: now })
    .onConflict((conflict) => conflict.column('name').doNothing()),
);
