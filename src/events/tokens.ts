import { createHmac, timingSafeEqual } from 'node:crypto';

const MAC_BYTES = 16;
/** No token of ours is longer: a page may go on after a name of 255 characters, each escaped. */
const MAX_TOKEN_LENGTH = 4_096;

/** Opaque tokens that are given out and come back: nothing is kept, and nobody else can make one. */
export interface Tokens {
  /** `purpose` says where the token may come back, e.g. `watch:<project>`. */
  sign(purpose: string, text: string): string;
  /** The text, or undefined for a token that is forged, broken or meant for something else. */
  open(purpose: string, token: string): string | undefined;
}

/** Tokens under a key: base64url of HMAC-SHA256, cut to 16 bytes, and the text. */
export function tokensWith(key: Buffer): Tokens {
  // the length keeps (purpose, text) apart from any other pair with the same letters
  const macOf = (purpose: string, text: Buffer): Buffer =>
    createHmac('sha256', key)
      .update(`${Buffer.byteLength(purpose)}:${purpose}`)
      .update(text)
      .digest()
      .subarray(0, MAC_BYTES);

  return {
    sign(purpose, text) {
      const bytes = Buffer.from(text);
      return Buffer.concat([macOf(purpose, bytes), bytes]).toString('base64url');
    },

    open(purpose, token) {
      if (token.length > MAX_TOKEN_LENGTH || !/^[\w-]+$/.test(token)) return undefined;
      const bytes = Buffer.from(token, 'base64url');
      // one token has one spelling: what base64 ignores at the end is no part of it
      if (bytes.length < MAC_BYTES || bytes.toString('base64url') !== token) return undefined;
      const text = bytes.subarray(MAC_BYTES);
      return timingSafeEqual(bytes.subarray(0, MAC_BYTES), macOf(purpose, text)) ? text.toString() : undefined;
    },
  };
}
