import { safeText } from '../log/safe.js';

/** How one part of a process is. */
export interface PartState {
  readonly ready: boolean;
  /** Why not, in an operator's words. */
  readonly reason?: string;
}

/** Asks a part how it is. What it throws is why it is not ready. */
export type Check = () => PartState | Promise<PartState>;

/** The state of all parts at one moment. */
export interface ReadyReport {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, PartState>>;
}

export interface ReadinessOptions {
  /** How long a part may take to answer, ms. @default 1000 */
  readonly timeoutMs?: number;
  /** How old an answer may be: probes, however many, ask the parts once in that time, ms. @default 1000 */
  readonly maxAgeMs?: number;
}

/** Whether a process should get requests: every part answers, and nobody has asked it to end. */
export class ProcessReadiness {
  readonly #timeoutMs: number;
  readonly #maxAgeMs: number;
  readonly #checks = new Map<string, Check>();
  #isDraining = false;
  #last: { readonly at: number; readonly report: Promise<ReadyReport> } | undefined;

  constructor({ timeoutMs = 1_000, maxAgeMs = 1_000 }: ReadinessOptions = {}) {
    this.#timeoutMs = timeoutMs;
    this.#maxAgeMs = maxAgeMs;
  }

  /** Adds a part, or replaces it. */
  add(name: string, check: Check): void {
    this.#checks.set(name, check);
    this.#last = undefined;
  }

  /** From now on the process is not ready: it ends. Safe to repeat. */
  drain(): void {
    this.#isDraining = true;
  }

  /** How it is now. Never rejects. */
  async report(): Promise<ReadyReport> {
    const now = performance.now();
    if (!this.#last || now - this.#last.at > this.#maxAgeMs) this.#last = { at: now, report: this.#ask() };
    const report = await this.#last.report;
    if (!this.#isDraining) return report;
    return { ready: false, parts: { ...report.parts, process: { ready: false, reason: 'it is stopping' } } };
  }

  async #ask(): Promise<ReadyReport> {
    const asked = await Promise.all(
      [...this.#checks].map(async ([name, check]) => [name, await this.#state(check)] as const),
    );
    return { ready: asked.every(([, { ready }]) => ready), parts: Object.fromEntries(asked) };
  }

  async #state(check: Check): Promise<PartState> {
    let timer: NodeJS.Timeout | undefined;
    const noAnswer = new Promise<PartState>((resolve) => {
      timer = setTimeout(
        () => resolve({ ready: false, reason: `no answer within ${this.#timeoutMs} ms` }),
        this.#timeoutMs,
      );
    });
    try {
      return await Promise.race([check(), noAnswer]);
    } catch (error) {
      return { ready: false, reason: safeText(error instanceof Error ? error.message : String(error)) };
    } finally {
      clearTimeout(timer);
    }
  }
}
