/** What ts-proto generates for a message type. */
export interface Wire<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: Uint8Array): T;
}
