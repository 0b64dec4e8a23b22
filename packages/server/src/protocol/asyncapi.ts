/** The AsyncAPI 3.1 document of the protocol, made of the same schemas as the code. `docs/reference/asyncapi.json` is what this gives. */
import type { JsonValue } from '@gvu/core';
import { channels } from './channels.ts';
import { SUBPROTOCOL } from './hello.ts';
import { clientMessages, serverMessages } from './messages.ts';
import { methods } from './methods.ts';

type Schemas = Readonly<Record<string, object>>;

const dialect = 'application/schema+json;version=draft-2020-12';

const reference = (path: string) => ({ $ref: `#/${path}` });

const title = (name: string): string =>
  name.replace(/(^|[.-])([a-z])/g, (_, _separator, letter) => letter.toUpperCase());

function messagesOf(table: Schemas, sender: 'Client' | 'Server') {
  return Object.entries(table).map(([op, schema]) => {
    const key = `${sender}${title(op)}`;
    const summary = 'description' in schema ? String(schema.description) : op;
    const message = {
      name: op,
      title: `${op}, from the ${sender.toLowerCase()}`,
      summary,
      contentType: 'application/json',
    };
    return {
      key,
      message: { ...message, payload: { schemaFormat: dialect, ...reference(`components/schemas/${key}`) } },
      schema,
    };
  });
}

/** Plain JSON. */
export function asyncApiDocument(): JsonValue {
  const fromClient = messagesOf(clientMessages, 'Client');
  const fromServer = messagesOf(serverMessages, 'Server');
  const all = [...fromClient, ...fromServer];
  const frame = {
    name: 'frame',
    title: 'picture, from the server',
    summary: 'Binary: a header of 72 bytes, little-endian, and a picture as a file. See docs/reference/protocol.md.',
    contentType: 'application/octet-stream',
  };
  const schemas: Schemas = {
    ...Object.fromEntries(all.map(({ key, schema }) => [key, schema])),
    ...Object.fromEntries(channels.map(({ name, schema }) => [`Channel${title(name)}`, schema])),
    ...Object.fromEntries(
      Object.entries(methods).flatMap(([name, { params, result }]) => [
        [`Params${title(name)}`, params],
        [`Result${title(name)}`, result],
      ]),
    ),
  };
  const document = {
    asyncapi: '3.1.0',
    info: {
      title: 'GvU',
      version: SUBPROTOCOL,
      description:
        'Streams runs of reinforcement learning, serves the model, steers training. See docs/reference/protocol.md.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      local: {
        host: '127.0.0.1:8642',
        protocol: 'ws',
        description: `The subprotocol is ${SUBPROTOCOL}; any path will do.`,
        security: [reference('components/securitySchemes/token')],
      },
    },
    channels: {
      connection: {
        address: '/',
        description: 'One WebSocket connection carries everything.',
        messages: Object.fromEntries([
          ...all.map(({ key }) => [key, reference(`components/messages/${key}`)]),
          ['ServerFrame', reference('components/messages/ServerFrame')],
        ]),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      fromClient: {
        action: 'receive',
        channel: reference('channels/connection'),
        summary: 'What the server receives.',
        messages: fromClient.map(({ key }) => reference(`channels/connection/messages/${key}`)),
      },
      fromServer: {
        action: 'send',
        channel: reference('channels/connection'),
        summary: 'What the server sends.',
        messages: [...fromServer.map(({ key }) => key), 'ServerFrame'].map((key) =>
          reference(`channels/connection/messages/${key}`),
        ),
      },
    },
    components: {
      schemas,
      messages: { ...Object.fromEntries(all.map(({ key, message }) => [key, message])), ServerFrame: frame },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'In the hello, or as the subprotocol gvu.token.<base64url>.',
        },
      },
    },
  };
  return JSON.parse(JSON.stringify(document));
}
