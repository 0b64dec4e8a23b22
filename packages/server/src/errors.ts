/** The codes of `@gvu/server` and of its client; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core/errors';

export const serverErrors = defineErrors({
  GVU_CLIENT_CLOSED: 'The client was closed, or the connection was lost during a request.',
  GVU_CLIENT_REFUSED: 'The server refused the connection for good.',
  GVU_SERVER_CANCELLED: 'A request was given up by the client.',
  GVU_SERVER_DEADLINE: 'A request was not done in time.',
  GVU_SERVER_EPOCH: 'The log of a run was replaced by another one.',
  GVU_SERVER_IMAGE: 'A picture given to a method cannot be used.',
  GVU_SERVER_INTERNAL: 'The server failed in a way that it did not expect.',
  GVU_SERVER_LISTEN: 'The server could not listen at its address.',
  GVU_SERVER_MESSAGE: 'A message does not fit the protocol.',
  GVU_SERVER_METHOD: 'A method is not known, or this server does not offer it.',
  GVU_SERVER_OPTIONS: 'An option of the server is out of its range, or unsafe.',
  GVU_SERVER_OVERLOADED: 'There are too many requests for the model.',
  GVU_SERVER_REQUEST_ID: 'The id of a request is in use, or too many are under way.',
  GVU_SERVER_RUN_UNKNOWN: 'There is no run of this name.',
  GVU_SERVER_SCOPE: 'The connection may not do this.',
  GVU_SERVER_SUBSCRIPTION: 'A subscription contradicts itself or others.',
});
