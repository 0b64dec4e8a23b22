/** The codes of `@gvu/create-plugin`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const createErrors = defineErrors({
  GVU_CREATE_DIRECTORY: 'The directory of a new plugin is there already, or cannot be written.',
  GVU_CREATE_OPTIONS: 'A new plugin was asked for with a kind, an id or a package name that cannot be one.',
});
