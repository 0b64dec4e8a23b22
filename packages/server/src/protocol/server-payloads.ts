/** Data of the channel `server`: what the server says of itself. It is not of any run and is not kept. */
import { runSummary } from './hello.ts';
import type { Message } from './schema.ts';

const count = { type: 'integer', minimum: 0 } as const;
const milliseconds = {
  type: ['number', 'null'],
  description: 'Null when nothing was delivered live of late.',
} as const;

export const statsData = {
  type: 'object',
  description: 'Counts are since the start of the server.',
  required: [
    'connections',
    'subscriptions',
    'events',
    'images',
    'bytes',
    'dropped',
    'replays',
    'bufferedBytes',
    'delayMs',
  ],
  properties: {
    connections: { ...count, description: 'Now.' },
    subscriptions: { ...count, description: 'Now.' },
    bufferedBytes: { ...count, description: 'Now waiting to be taken by clients.' },
    events: { ...count, description: 'Delivered.' },
    images: { ...count, description: 'Delivered as binary frames.' },
    bytes: { ...count, description: 'Sent.' },
    dropped: {
      type: 'object',
      required: ['coalesce', 'drop-oldest'],
      properties: { coalesce: count, 'drop-oldest': count },
      description: 'Events not delivered because a client was slow, by class of channel.',
    },
    replays: { ...count, description: 'Times that a subscription was served from the log on disk.' },
    delayMs: {
      type: 'object',
      required: ['p50', 'p95', 'p99'],
      properties: { p50: milliseconds, p95: milliseconds, p99: milliseconds },
      description: 'From the time of an event to handing it to the socket, of the last 4,096 live deliveries.',
    },
  },
} as const;
export type StatsData = Message<typeof statsData>;

export const runsData = {
  type: 'object',
  description: 'The runs, when one was added, removed or ended.',
  required: ['runs'],
  properties: { runs: { type: 'array', items: runSummary } },
} as const;
