/** The conformance kit of backends: what the rest of GvU takes for granted of every one. */
import type { ConformanceCheck } from '../check.ts';
import { testingErrors } from '../errors.ts';
import { declarationChecks } from './declaration.ts';
import { drawingChecks } from './drawing.ts';
import { readingChecks } from './reading.ts';
import { type BackendConformanceOptions, backendSubject } from './subject.ts';
import { trainingChecks } from './training.ts';

/** Throws GVU_TESTING_OPTIONS for options that leave nothing to test. */
export function backendConformance(options: BackendConformanceOptions): readonly ConformanceCheck[] {
  const { capabilities = ['text-to-image', 'image-to-text', 'trainable'] } = options;
  const subject = backendSubject(options);
  const draws = capabilities.includes('text-to-image');
  if (!draws)
    throw testingErrors.error('GVU_TESTING_OPTIONS', `The capabilities are ${JSON.stringify(capabilities)}.`, {
      hint: 'A backend of GvU draws: declare text-to-image.',
    });
  return [
    ...declarationChecks(subject, capabilities),
    ...drawingChecks(subject),
    ...(capabilities.includes('image-to-text') ? readingChecks(subject) : []),
    ...(capabilities.includes('trainable') ? trainingChecks(subject) : []),
  ];
}
