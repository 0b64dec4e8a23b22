/** The codes of `@gvu/testing`; `docs/reference/errors.md` explains each. */
import { defineErrors } from '@gvu/core';

export const testingErrors = defineErrors({
  GVU_TESTING_OPTIONS: 'A conformance kit was given too little to test with, or a tolerance that proves nothing.',
});
