/** `@gvu/server/protocol`: the schemas, frames and codes of `gvu.v1`, for whoever writes or tests another end of it. */

export { type ChannelName, channelNames, type RunChannelName } from './channel-names.ts';
export { channels, classOf } from './channels.ts';
export { CloseCode, permanentCloseCodes } from './close-codes.ts';
export { decodeFrame, encodeFrame, HEADER_BYTES, type ImageFrame } from './frame.ts';
export { type ServerHello, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from './hello.ts';
export { type ClientMessage, clientMessages, type ServerMessage, serverMessages } from './messages.ts';
export { methods } from './methods.ts';
export type { ChannelEvent, From, Subscribe } from './subscriptions.ts';
