/** What the client needs of a WebSocket: browsers have one, `ws` is one for Node. The event parameters fit both. */
export interface WebSocketLike {
  readonly readyState: number;
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** That of the browser, or of a Node that has one. */
export function globalWebSocket(): WebSocketConstructor | undefined {
  const found: unknown = Reflect.get(globalThis, 'WebSocket');
  return typeof found === 'function' ? (found as WebSocketConstructor) : undefined; // by its name
}
