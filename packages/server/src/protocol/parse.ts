/** Reads what clients send: JSON of bounded depth without `__proto__`, held to the schema of its `op`, with defaults filled in. */
import { type Config, compileConfig, isGvuError, isRecord } from '@gvu/core';
import { serverErrors } from '../errors.ts';
import { type ClientMessage, clientMessages } from './messages.ts';
import { type MethodName, methods } from './methods.ts';

/** Compiled when first used: most clients use few. */
const configs = new Map<object, Config<unknown>>();

function parseWith(schema: object, value: unknown, source: string): unknown {
  let config = configs.get(schema);
  if (config === undefined) {
    config = compileConfig(schema, { source: `The schema of ${source}` });
    configs.set(schema, config);
  }
  try {
    return config.parse(value, { source });
  } catch (cause) {
    if (!isGvuError(cause, 'GVU_CONFIG_INVALID')) throw cause;
    throw serverErrors.error('GVU_SERVER_MESSAGE', cause.message.slice(cause.code.length + 2), { cause });
  }
}

/**
 * The message in the value of a frame.
 * @throws GVU_SERVER_MESSAGE
 */
export function parseClientMessage(value: unknown): ClientMessage {
  const op = isRecord(value) && Object.hasOwn(value, 'op') ? value.op : undefined;
  if (typeof op !== 'string' || !isOp(op)) {
    const known = Object.keys(clientMessages).join(', ');
    throw serverErrors.error('GVU_SERVER_MESSAGE', `A message must be an object with one of these as "op": ${known}.`);
  }
  // It fits the schema of its `op`, and the type was made of that.
  return parseWith(clientMessages[op], value, `The message "${op}"`) as ClientMessage;
}

/**
 * The parameters of a request.
 * @throws GVU_SERVER_MESSAGE
 */
export function parseParams(method: MethodName, value: unknown): unknown {
  return parseWith(methods[method].params, value ?? {}, `The request "${method}"`);
}

function isOp(op: string): op is keyof typeof clientMessages {
  return Object.hasOwn(clientMessages, op);
}
