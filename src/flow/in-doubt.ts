/**
 * The third ending of a task: nobody knows yet what happened. Nothing is reverted, because an undo might undo what
 * another process has already finished; recovery decides. The caller is told to ask again.
 */
export class InDoubt extends Error {
  override readonly name = 'InDoubt';

  constructor(
    message: string,
    readonly resourceId: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}
