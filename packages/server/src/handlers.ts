/** What answers each method, made of what the server was given: without a model there is no `generate`, without a trainer no `run.stop`. */
import { createHash } from 'node:crypto';
import type { Pixels } from '@gvu/models';
import type { ModelService } from './models/model-service.ts';
import type { ImageReference, MethodName, Params, Result } from './protocol/methods.ts';
import type { RunControl } from './run-control.ts';
import { RunPictures } from './runs/pictures.ts';
import { decodePng } from './runs/png.ts';
import type { RunDirectory } from './runs/run-directory.ts';

export interface RequestContext {
  /** Aborted when the client cancels or leaves, and at the deadline; its reason is the error. */
  readonly signal: AbortSignal;
  readonly progress: (phase: string) => void;
  /** Sends a picture that belongs to the result. */
  readonly picture: (picture: { readonly name: string; readonly bytes: Uint8Array }) => void;
}

export type Handlers = {
  readonly [M in MethodName]?: (params: Params<M>, context: RequestContext) => Promise<Result<M>>;
};

export interface Services {
  readonly runs: RunDirectory;
  readonly models?: ModelService | undefined;
  readonly control?: RunControl | undefined;
  readonly plugins?: (() => Result<'plugins'>['plugins']) | undefined;
}

export function createHandlers({ runs, models, control, plugins }: Services): Handlers {
  return {
    runs: async () => ({ runs: await runs.list() }),
    ...(plugins && { plugins: async () => ({ plugins: plugins() }) }),
    ...(models && modelHandlers(models, runs)),
    ...(control && controlHandlers(control)),
  };
}

function modelHandlers(models: ModelService, runs: RunDirectory): Handlers {
  const pixelsOf = async (image: ImageReference): Promise<Pixels> =>
    decodePng(
      'png' in image
        ? Buffer.from(image.png, 'base64')
        : await new RunPictures(runs.directoryOf(image.run)).load(image.name, 'full'),
    );
  return {
    generate: async (params, { signal, progress, picture }) => {
      const drawings = await models.generate(params, { signal, onPhase: progress });
      return {
        drawings: drawings.map(({ png, logProb }) => {
          const name = `${createHash('sha256').update(png).digest('hex')}.png`;
          picture({ name, bytes: png });
          return { image: name, logProb };
        }),
      };
    },
    describe: async ({ image, question }, { signal, progress }) => {
      const asked = { image: await pixelsOf(image), ...(question === undefined ? {} : { question }) };
      return { text: await models.describe(asked, { signal, onPhase: progress }) };
    },
    score: async ({ image, text }, { signal, progress }) => {
      const pixels = await pixelsOf(image);
      const { tokens, logProbs } = await models.score({ image: pixels, text }, { signal, onPhase: progress });
      const mean = logProbs.reduce((sum, logProb) => sum + logProb, 0) / logProbs.length;
      return { tokens, logProbs, value: Math.exp(mean) };
    },
  };
}

function controlHandlers(control: RunControl): Handlers {
  const start = control.start?.bind(control);
  return {
    ...(start && { 'run.start': async ({ config }: Params<'run.start'>) => ({ run: await start(config) }) }),
    'run.pause': async ({ run }) => {
      await control.pause(run);
      return { run };
    },
    'run.resume': async ({ run }) => {
      await control.resume(run);
      return { run };
    },
    'run.checkpoint': async ({ run }) => ({ run, step: await control.checkpoint(run) }),
    'run.stop': async ({ run }) => {
      await control.stop(run);
      return { run };
    },
  };
}
