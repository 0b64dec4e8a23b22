/** `@gvu/server/client`: the client for Node and browsers. Nothing that it imports is of Node. */

export type { ChannelName } from '../protocol/channel-names.ts';
export { decodeFrame, type ImageFrame } from '../protocol/frame.ts';
export type { RunSummary, Scope, ServerHello } from '../protocol/hello.ts';
export type { GivenParams, ImageReference, MethodName, Result } from '../protocol/methods.ts';
export type { ChannelEvent, From } from '../protocol/subscriptions.ts';
export { Client, type ClientOptions, type RequestOptions } from './client.ts';
export { Subscription, type SubscriptionItem, type SubscriptionWish } from './subscription.ts';
export type { WebSocketConstructor, WebSocketLike } from './web-socket.ts';
