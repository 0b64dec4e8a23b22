/** Requests and their answers: any number of `progress`, then exactly one `result` or `error`. */
import { clientId, failure, name } from './schema.ts';

export const request = {
  type: 'object',
  description: 'Calls a method.',
  required: ['op', 'id', 'method'],
  properties: {
    op: { const: 'request' },
    id: { ...clientId, description: 'Chosen by the client; of no request under way.' },
    method: { ...name, description: 'One of the capabilities in the hello of the server.' },
    params: { type: 'object', description: 'As the schema of the method says.' },
    deadlineMs: {
      type: 'integer',
      minimum: 1,
      maximum: 3_600_000,
      description: 'Give up after this; default 120,000.',
    },
  },
} as const;

export const cancel = {
  type: 'object',
  description: 'Gives up a request. It is answered with GVU_SERVER_CANCELLED, unless its answer was already under way.',
  required: ['op', 'id'],
  properties: { op: { const: 'cancel' }, id: clientId },
} as const;

export const ping = {
  type: 'object',
  description: 'Is the server there? For clients that cannot see WebSocket pings.',
  required: ['op'],
  properties: { op: { const: 'ping' } },
} as const;

export const pong = {
  type: 'object',
  description: 'Answer to `ping`.',
  required: ['op', 'clock'],
  properties: { op: { const: 'pong' }, clock: { type: 'string', description: 'Time of the server.' } },
} as const;

export const progress = {
  type: 'object',
  description: 'How far a request is.',
  required: ['op', 'id', 'phase'],
  properties: {
    op: { const: 'progress' },
    id: clientId,
    phase: { type: 'string', description: '`queued`, `running`, and what a method adds.' },
  },
} as const;

export const result = {
  type: 'object',
  description: 'A request succeeded. Binary frames that belong to it were sent before.',
  required: ['op', 'id', 'result'],
  properties: { op: { const: 'result' }, id: clientId, result: { description: 'As the schema of the method says.' } },
} as const;

export const error = {
  type: 'object',
  description: 'A request failed, or a message could not be understood: then `id` is null unless the message had one.',
  required: ['op', 'id', 'error'],
  properties: { op: { const: 'error' }, id: { type: ['integer', 'null'] }, error: failure },
} as const;
