/** The limits of a server: what a client may send, how much is kept for one that does not read, and for how long it is waited. */

export interface ServerLimits {
  /** Clients at a time; others are answered 503. */
  readonly connections: number;
  /** Bytes of a frame from a client. */
  readonly frameBytes: number;
  readonly subscriptions: number;
  /** Requests under way of one client. */
  readonly requests: number;
  /** From one client, lasting; twice as many in a burst. */
  readonly messagesPerSecond: number;
  /** Bytes and frames waiting for one client, beyond which it is sent no more events. One frame may exceed them. */
  readonly bufferBytes: number;
  readonly bufferFrames: number;
  /** A client that takes nothing for so long although something waits is disconnected. */
  readonly stallMs: number;
  readonly handshakeMs: number;
  /** A client that was silent for so long is pinged, and disconnected after as long again. */
  readonly idleMs: number;
}

export const defaultLimits: ServerLimits = {
  connections: 2000,
  frameBytes: 1 << 20,
  subscriptions: 64,
  requests: 16,
  messagesPerSecond: 50,
  bufferBytes: 1 << 20,
  bufferFrames: 256,
  stallMs: 30_000,
  handshakeMs: 5_000,
  idleMs: 30_000,
};

/** How many live events a client may be behind in a channel that may lose some, and of how many bytes. */
export const backlogLimits = { count: 256, bytes: 1 << 20 } as const;
