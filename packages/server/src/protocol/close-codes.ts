/** Why the server closes a connection: codes of RFC 6455, and of the range that it leaves to applications. */

export const CloseCode = {
  /** The server is stopping. Come back later. */
  goingAway: 1001,
  /** The client sent a binary frame; it has nothing to say in one. */
  unsupportedData: 1003,
  /** Text that is not UTF-8. */
  invalidText: 1007,
  /** A frame beyond `limits.frameBytes`. */
  frameTooLarge: 1009,
  /** The first message was no hello, or a later frame was not JSON. */
  badMessage: 4400,
  /** The token is not known, or there is none where one is needed. */
  unauthorized: 4401,
  /** No common subprotocol, or the client requires a capability that the server does not have. */
  notSupported: 4406,
  /** No hello in time. */
  handshakeTimeout: 4408,
  /** The client does not read: nothing was taken from its connection for too long. It can resume from its last offsets. */
  tooSlow: 4409,
  /** Too many messages. */
  rateExceeded: 4429,
} as const;

/** After these a client that reconnects with the same settings would be refused again. */
export const permanentCloseCodes: ReadonlySet<number> = new Set([
  CloseCode.badMessage,
  CloseCode.unauthorized,
  CloseCode.notSupported,
  CloseCode.unsupportedData,
  CloseCode.invalidText,
  CloseCode.frameTooLarge,
]);
