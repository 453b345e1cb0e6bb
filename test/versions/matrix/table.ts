/** How one method fares: of each kind of pair, the outcomes by the one side's version and then the other's. */
export interface Block {
  readonly name: string;
  /** What its rules are, e.g. `cast since 3.9`. */
  readonly rules: string;
  readonly pairs: readonly Pairs[];
}

export interface Pairs {
  /** Of the first axis, e.g. `client`. */
  readonly first: string;
  /** Of the second; none: there is only one. */
  readonly second?: string;
  /** First version → second version → outcome; in the order of the versions. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** The blocks as text: ranges of versions that fare alike in one line, methods that fare alike under one heading. */
export function tableText(head: string, blocks: readonly Block[]): string {
  const groups = new Map<string, string[]>();
  for (const block of blocks) {
    const body = [block.rules, ...block.pairs.flatMap(pairLines)].join('\n');
    groups.set(body, [...(groups.get(body) ?? []), block.name]);
  }
  const all = new Set(blocks.map(({ name }) => name)).size;
  const sections = [...groups].map(
    ([body, names]) => `${names.length === all ? 'all of them' : heading(names)}\n${body}\n`,
  );
  return [head, ...sections].join('\n');
}

const WIDTH = 120;

function heading(names: readonly string[]): string {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + name.length + 2 <= WIDTH) lines[lines.length - 1] = `${last}, ${name}`;
    else lines.push(name);
  }
  return lines.join(',\n');
}

function pairLines({ first, second, outcomes }: Pairs): readonly string[] {
  const order = [...outcomes.keys()];
  const rows = runs(order, (version) => JSON.stringify([...(outcomes.get(version) ?? [])]));
  return rows.flatMap(({ from, to }) => {
    const row = outcomes.get(from) ?? new Map<string, string>();
    return runs([...row.keys()], (version) => row.get(version) ?? '').map((run, index) =>
      [
        (index === 0 ? `  ${first} ${range({ from, to })}` : '').padEnd(22),
        ...(second === undefined ? [] : [`${second} ${range(run)}`.padEnd(18)]),
        row.get(run.from) ?? '',
      ].join(' '),
    );
  });
}

interface Run {
  readonly from: string;
  readonly to: string;
}

function range({ from, to }: Run): string {
  return from === to ? from : `${from}-${to}`;
}

/** Neighbours that have the same value. */
function runs(order: readonly string[], valueOf: (one: string) => string): readonly Run[] {
  const found: Run[] = [];
  for (const one of order) {
    const last = found.at(-1);
    if (last && valueOf(last.from) === valueOf(one)) found[found.length - 1] = { from: last.from, to: one };
    else found.push({ from: one, to: one });
  }
  return found;
}
