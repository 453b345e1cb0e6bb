// node sqlite-writer.js PATH: writes pairs of rows for ever, several units at a time, and prints what was acknowledged
import { openStore } from '#src/db/open-store.js';
import { statement } from '#src/db/statement.js';

const insert = statement<{ name: string }>()(({ db, now }, p) =>
  db.insertInto('secrets').values({ name: p.name, value: 'v', created_at: now }),
);

const store = await openStore(`sqlite:${process.argv[2] ?? ''}`);

async function write(writer: number): Promise<void> {
  for (let i = 0; ; i++) {
    const name = `${writer}-${i}`;
    await store.apply(['a', 'b'].map((end) => ({ statement: insert.with({ name: `${name}.${end}` }), rows: 1 })));
    process.stdout.write(`${name}\n`);
  }
}

await Promise.all([1, 2, 3, 4].map(write));
