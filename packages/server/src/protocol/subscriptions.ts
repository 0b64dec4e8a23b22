/** Subscribing to a channel, and what arrives then: events in order, and word of every offset that does not. */
import { channelNames } from './channel-names.ts';
import { clientId, failure, type Message, name, offset } from './schema.ts';

export const subscribe = {
  type: 'object',
  description: 'Asks for the events of a channel, from a position on and then as they happen.',
  required: ['op', 'id', 'channel', 'from'],
  properties: {
    op: { const: 'subscribe' },
    id: { ...clientId, description: 'Chosen by the client; not in use.' },
    run: { ...name, description: 'Required for every channel but `server`.' },
    channel: { enum: channelNames },
    from: {
      description: 'From the first event, only what comes, or from an offset of an epoch (the first one not yet seen).',
      anyOf: [
        { enum: ['earliest', 'latest'] },
        {
          type: 'object',
          required: ['epoch', 'offset'],
          properties: { epoch: { type: 'string', maxLength: 128 }, offset },
        },
      ],
    },
    every: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      description: 'Only offsets that this divides. Not for lossless channels.',
    },
    maxRate: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 1000,
      description: 'Of what happens live, at most so many events a second, the newest. Not for lossless channels.',
    },
    images: {
      enum: ['announce', 'thumbnail', 'full'],
      description: 'Channel `images`: only names (default), or binary frames with small or whole pictures.',
    },
  },
} as const;
export type Subscribe = Message<typeof subscribe>;
export type From = Subscribe['from'];

export const unsubscribe = {
  type: 'object',
  description: 'Ends a subscription; answered by `unsubscribed`.',
  required: ['op', 'id'],
  properties: { op: { const: 'unsubscribe' }, id: clientId },
} as const;

export const subscribed = {
  type: 'object',
  description: 'Answer to `subscribe`, before the first of its events.',
  required: ['op', 'id', 'run', 'channel', 'epoch', 'offset', 'head', 'recovered'],
  properties: {
    op: { const: 'subscribed' },
    id: clientId,
    run: { type: ['string', 'null'] },
    channel: { enum: channelNames },
    epoch: { type: 'string' },
    offset: { ...offset, description: 'Of the first event that will be delivered.' },
    head: { ...offset, description: 'Offset that the next event to happen will get: what is below it is history.' },
    recovered: {
      type: 'boolean',
      description:
        'False when the position asked for is not there any more: delivery then begins with the earliest event.',
    },
  },
} as const;
export type Subscribed = Message<typeof subscribed>;

export const unsubscribed = {
  type: 'object',
  description: 'A subscription is over, or was refused: then, and when the server ended it, with the error.',
  required: ['op', 'id'],
  properties: { op: { const: 'unsubscribed' }, id: clientId, error: failure },
} as const;

export const event = {
  type: 'object',
  required: ['offset', 'seq', 'time', 'type', 'data'],
  properties: {
    offset: { ...offset, description: 'Position in the channel: 0, 1, 2, ... within an epoch.' },
    seq: { ...offset, description: 'Position in the log of the run.' },
    time: { type: 'string', description: 'When it happened, ISO 8601 in UTC with milliseconds.' },
    type: { type: 'string' },
    data: { description: 'By type, as the schema of the channel says.' },
  },
} as const;
export type ChannelEvent = Message<typeof event>;

export const events = {
  type: 'object',
  description: 'Events of a subscription, in order.',
  required: ['op', 'id', 'events'],
  properties: { op: { const: 'events' }, id: clientId, events: { type: 'array', minItems: 1, items: event } },
} as const;

export const dropped = {
  type: 'object',
  description:
    'The events with offsets `from` to `to - 1` will not be delivered. They can be had by another subscription.',
  required: ['op', 'id', 'from', 'to', 'reason'],
  properties: {
    op: { const: 'dropped' },
    id: clientId,
    from: offset,
    to: offset,
    reason: {
      enum: ['slow', 'rate'],
      description: 'The client did not take them in time, or `maxRate` left them out.',
    },
  },
} as const;
export type Dropped = Message<typeof dropped>;
