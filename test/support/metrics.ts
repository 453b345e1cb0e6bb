import type { TestProcess } from './process.js';

/** What a process shows over HTTP. */
export class Shown {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** A page, and its status. */
  async page(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const answer = await fetch(new URL(path, this.#url), { signal: AbortSignal.timeout(10_000) });
    return { status: answer.status, body: await answer.text() };
  }

  /** The sum of a metric's series whose labels include these; undefined: there is none. */
  async value(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
    const { body } = await this.page('/metrics');
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const values = body
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .filter((line) => wanted.every((label) => line.includes(label)))
      .map((line) => Number(line.slice(line.lastIndexOf(' '))));
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  }
}

/** What a process shows, once it has said where. */
export async function shownBy(process: Pick<TestProcess, 'wrote'>): Promise<Shown> {
  const [, url = ''] = await process.wrote(/"url":"(http:\/\/127\.0\.0\.1:\d+)\/metrics"/);
  return new Shown(url);
}
