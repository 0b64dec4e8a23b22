/** The greeting of both sides, after which everything else is allowed. The client speaks first, so that a stranger learns nothing. */
import { channelNames } from './channel-names.ts';
import { type Message, name, offset } from './schema.ts';

/** The WebSocket subprotocol. A new major version gets a new name; within one, fields are only added. */
export const SUBPROTOCOL = 'gvu.v1';

/** A client may offer its token as one more subprotocol, `gvu.token.` and the token in base64url: browsers can set no header. */
export const TOKEN_SUBPROTOCOL = 'gvu.token.';

/** What a connection may do; none includes another. */
export const scopes = ['read', 'infer', 'control'] as const;
export type Scope = (typeof scopes)[number];

export const clientHello = {
  type: 'object',
  description: 'First message of the client.',
  required: ['op', 'client'],
  properties: {
    op: { const: 'hello' },
    client: {
      type: 'object',
      required: ['name', 'version'],
      properties: { name, version: { type: 'string', maxLength: 64 } },
    },
    token: { type: 'string', maxLength: 1024, description: 'Unless it was offered as a subprotocol.' },
    requires: {
      type: 'array',
      maxItems: 32,
      items: { type: 'string', maxLength: 64 },
      description: 'Capabilities without which the client cannot work: the server closes with 4406 when it lacks one.',
    },
  },
} as const;
export type ClientHello = Message<typeof clientHello>;

export const runSummary = {
  type: 'object',
  required: ['run', 'epoch', 'state', 'bytes', 'updated'],
  properties: {
    run: { ...name, description: 'Name of the run: that of its folder.' },
    epoch: { type: 'string', description: 'Random id of its log. Offsets of another epoch mean nothing.' },
    state: {
      enum: ['open', 'ended'],
      description: '`open`: its end has not been logged; it may have been interrupted.',
    },
    reason: { type: 'string', description: 'Why it ended.' },
    steered: {
      enum: ['running', 'paused'],
      description: 'Only of runs that this server can pause, save and stop: whether it stands still.',
    },
    bytes: { ...offset, description: 'Size of its log.' },
    updated: { type: 'string', description: 'When its log was last written, ISO 8601 in UTC.' },
  },
} as const;
export type RunSummary = Message<typeof runSummary>;

export const serverHello = {
  type: 'object',
  description: 'Answer to the hello of the client.',
  required: [
    'op',
    'protocol',
    'server',
    'run',
    'epoch',
    'runs',
    'channels',
    'capabilities',
    'scopes',
    'limits',
    'clock',
  ],
  properties: {
    op: { const: 'hello' },
    protocol: { const: SUBPROTOCOL },
    server: {
      type: 'object',
      required: ['name', 'version', 'epoch'],
      properties: {
        name: { type: 'string' },
        version: { type: 'string' },
        epoch: { type: 'string', description: 'Changes whenever the server starts; epoch of the channel `server`.' },
      },
    },
    run: { type: ['string', 'null'], description: 'The run whose log was written last.' },
    epoch: { type: ['string', 'null'], description: 'Its epoch.' },
    runs: { type: 'array', items: runSummary, description: 'All runs, the one written last first.' },
    channels: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'name', 'class', 'description', 'schema'],
        properties: {
          id: { type: 'integer' },
          name: { enum: channelNames },
          class: {
            enum: ['coalesce', 'drop-oldest', 'lossless'],
            description: 'What happens to a client that is too slow.',
          },
          description: { type: 'string' },
          schema: { type: 'object', description: 'JSON Schema (2020-12) of its events.' },
        },
      },
    },
    capabilities: {
      type: 'array',
      items: { type: 'string' },
      description: 'The methods that can be requested, and `thumbnails`.',
    },
    scopes: { type: 'array', items: { enum: scopes }, description: 'What this connection may do.' },
    limits: {
      type: 'object',
      required: ['frameBytes', 'subscriptions', 'requests', 'messagesPerSecond'],
      properties: {
        frameBytes: { type: 'integer', description: 'Of a frame from the client.' },
        subscriptions: { type: 'integer', description: 'At a time.' },
        requests: { type: 'integer', description: 'Under way at a time.' },
        messagesPerSecond: { type: 'integer', description: 'Lasting; a burst of twice as many is let through.' },
      },
    },
    clock: {
      type: 'string',
      description: 'Time of the server, ISO 8601 in UTC: event times are to be compared with it.',
    },
  },
} as const;
export type ServerHello = Message<typeof serverHello>;
