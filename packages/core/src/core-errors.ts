/** The codes of `@gvu/core` itself; `docs/reference/errors.md` explains each. */
import { defineErrors } from './errors.ts';

export const coreErrors = defineErrors({
  GVU_BLOB_CORRUPT: 'The bytes of a blob do not have the hash that names it.',
  GVU_BLOB_MISSING: 'A blob is not in the store.',
  GVU_BLOB_NAME: 'A name is not that of a blob.',
  GVU_CONFIG_INVALID: 'A configuration does not fit its schema.',
  GVU_CONFIG_SCHEMA: 'A configuration schema is itself not valid.',
  GVU_LOG_CLOSED: 'The event log is closed for writing.',
  GVU_LOG_CORRUPT: 'A line of the event log that is not its last one cannot be read.',
  GVU_LOG_EPOCH: 'A position belongs to another event log than the one at this place.',
  GVU_LOG_EVENT: 'A value cannot be appended to the event log.',
  GVU_LOG_LOCKED: 'Another process is writing this event log.',
  GVU_LOG_MISSING: 'There is no event log at this place.',
  GVU_LOG_OFFSET: 'A position lies beyond the end of the event log.',
  GVU_LOG_WRITE: 'The event log could not be written.',
  GVU_RANDOM_ARGUMENT: 'An argument of a random function is out of its range.',
  GVU_SERVICE_CYCLE: 'Services need each other in a circle.',
  GVU_SERVICE_DISPOSED: 'A scope of services was used after it was disposed of.',
  GVU_SERVICE_DISPOSE_FAILED: 'Disposing of a scope of services failed in part.',
  GVU_SERVICE_DUPLICATE: 'A service is provided twice in one scope.',
  GVU_SERVICE_UNKNOWN: 'No scope in sight provides a service.',
});
