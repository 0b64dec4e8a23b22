/**
 * Schemas of messages: plain JSON Schema (2020-12), from which the types, the server's validation and the published AsyncAPI
 * document are all made. Objects are open, because unknown fields must be ignored; the types are closed, so that the compiler still
 * finds a misspelt field.
 */
import type { FromSchema, JSONSchema } from 'json-schema-to-ts';

/** The type of the values of a schema, with the fields that the schema names and no others. */
export type Message<S extends JSONSchema> = Closed<FromSchema<S>>;

/** Without the index signatures that stand for "any other field"; those of maps remain. */
type Closed<T> = T extends readonly (infer Item)[]
  ? readonly Closed<Item>[]
  : T extends object
    ? { readonly [K in keyof T as string extends K ? (unknown extends T[K] ? never : K) : K]: Closed<T[K]> }
    : T;

/** A number that a client chooses: of a subscription or a request. Fits the 32 bits that binary frames have for it. */
export const clientId = { type: 'integer', minimum: 1, maximum: 2 ** 32 - 1 } as const;

export const offset = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;

export const name = { type: 'string', minLength: 1, maxLength: 128 } as const;

/** A number, or null where there is none: JSON has no NaN. */
export const numberOrNull = { type: ['number', 'null'] } as const;

export const numbersByName = { type: 'object', additionalProperties: numberOrNull } as const;

/** `<sha256>.<extension>`. */
export const blobName = {
  type: 'string',
  pattern: '^[0-9a-f]{64}\\.[a-z0-9]{1,8}$',
  description: 'Name of a picture: SHA-256 of its bytes and its file extension.',
} as const;

export const failure = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { type: 'string', pattern: '^GVU(_[A-Z0-9]+)+$', description: 'Stable: match on it.' },
    message: { type: 'string', description: 'For people.' },
    retryAfterMs: { type: 'integer', minimum: 0, description: 'Ask again no sooner than this.' },
  },
} as const;

export type Failure = Message<typeof failure>;
