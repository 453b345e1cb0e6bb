import { type Cast, DeliverRequest } from '../gen/cinder/rpc/v1/casts.js';

/** What a cast usually has beside its arguments is less, bytes; of a context 32 roles of 255 characters are the most. */
const BESIDE_ARGS = 16_384;

/** Casts by the call that they go in, none larger than `maxBytes`, in their order. One that is larger alone has its own. */
export function inCalls(casts: readonly Cast[], maxBytes: number): readonly (readonly Cast[])[] {
  const most = casts.reduce((sum, { args }) => sum + args.length + BESIDE_ARGS, 0);
  if (most <= maxBytes) return casts.length > 0 ? [casts] : []; // nearly always: nothing has to be measured
  const calls: Cast[][] = [];
  let left = 0;
  for (const cast of casts) {
    // what is repeated has the sum of its sizes
    const size = DeliverRequest.encode({ casts: [cast] }).finish().length;
    if (calls.length === 0 || size > left) {
      calls.push([]);
      left = maxBytes;
    }
    calls.at(-1)?.push(cast);
    left -= size;
  }
  return calls;
}
