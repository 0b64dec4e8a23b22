/**
 * The channels: which events of a run's log each carries, what becomes of a client that is too slow for it, and its schema.
 *
 * The offsets of a channel are counted over the log from its beginning. They follow from the log alone, so they are the same
 * after the server was restarted, and for every server that reads the log.
 */
import { isRecord, type JsonValue, type LogEvent } from '@gvu/core';
import { type ChannelName, channelNames, type RunChannelName } from './channel-names.ts';
import {
  checkpointData,
  endedData,
  evaluationData,
  examData,
  guardData,
  imageData,
  resumedData,
  rolloutData,
  startedData,
  stepData,
} from './run-payloads.ts';
import { runsData, statsData } from './server-payloads.ts';
import { event } from './subscriptions.ts';

/**
 * What a client that falls behind live events misses: all but the newest (`coalesce`), the oldest beyond a bound (`drop-oldest`), or
 * nothing (`lossless`: it is served from the log at its own speed).
 */
export type ChannelClass = 'coalesce' | 'drop-oldest' | 'lossless';

export interface Channel {
  readonly id: number;
  readonly name: ChannelName;
  readonly class: ChannelClass;
  readonly description: string;
  /** Of its events. */
  readonly schema: object;
}

const eventsOf = (types: Readonly<Record<string, object>>) => ({
  ...event,
  anyOf: Object.entries(types).map(([type, data]) => ({ properties: { type: { const: type }, data } })),
});

const definitions: Readonly<Record<ChannelName, Omit<Channel, 'id' | 'name'>>> = {
  metrics: {
    class: 'coalesce',
    description: 'One event a step, with its metrics.',
    schema: eventsOf({ step: stepData }),
  },
  rollouts: {
    class: 'drop-oldest',
    description: 'Drawings of training with reward, advantage and the log-probability of each token of the prompt.',
    schema: eventsOf({ rollout: rolloutData }),
  },
  images: {
    class: 'drop-oldest',
    description: 'Pictures that rollouts and evaluations name, one event each; on request as binary frames.',
    schema: eventsOf({ image: imageData }),
  },
  evaluations: {
    class: 'lossless',
    description: 'Evaluations and exams.',
    schema: eventsOf({ evaluation: evaluationData, exam: examData }),
  },
  lifecycle: {
    class: 'lossless',
    description: 'Start, resumption and end of the run, checkpoints, guards.',
    schema: eventsOf({
      'run.started': startedData,
      'run.resumed': resumedData,
      'run.ended': endedData,
      checkpoint: checkpointData,
      guard: guardData,
    }),
  },
  log: {
    class: 'lossless',
    description: 'Every event of the log as it is; its offsets are those of the log.',
    schema: event,
  },
  server: {
    class: 'coalesce',
    description: 'What the server says of itself. Not of a run, and not kept.',
    schema: eventsOf({ 'server.stats': statsData, 'server.runs': runsData }),
  },
};

export const channels: readonly Channel[] = channelNames.map((name, i) => ({ id: i + 1, name, ...definitions[name] }));

/** The class of a channel. */
export function classOf(name: ChannelName): ChannelClass {
  return definitions[name].class;
}

const channelOfType: Readonly<Record<string, RunChannelName>> = {
  step: 'metrics',
  rollout: 'rollouts',
  evaluation: 'evaluations',
  exam: 'evaluations',
  'run.started': 'lifecycle',
  'run.resumed': 'lifecycle',
  'run.ended': 'lifecycle',
  checkpoint: 'lifecycle',
  guard: 'lifecycle',
};

/** An event of a channel that still lacks its offset. */
export interface ChannelEntry {
  readonly type: string;
  readonly data: JsonValue;
}

/** What an event of the log is in a channel: nothing, one event, or, of pictures, several. */
export function entriesOf(channel: RunChannelName, { type, data }: LogEvent): readonly ChannelEntry[] {
  if (channel === 'images') return type === 'rollout' || type === 'evaluation' ? pictures(type, data) : [];
  return channel === 'log' || channelOfType[type] === channel ? [{ type, data }] : [];
}

/** The log may be of another version or of another writer: what is not as expected is passed over. */
function pictures(of: 'rollout' | 'evaluation', data: JsonValue): readonly ChannelEntry[] {
  if (!isRecord(data)) return [];
  const drawings: readonly unknown[] = of === 'rollout' ? [data] : Array.isArray(data.drawings) ? data.drawings : [];
  return drawings.flatMap((drawing, index) => {
    if (
      !isRecord(drawing) ||
      typeof drawing.image !== 'string' ||
      !/^[0-9a-f]{64}\.[a-z0-9]{1,8}$/.test(drawing.image)
    ) {
      return [];
    }
    const { image, prompt, sample } = drawing;
    const step = typeof data.step === 'number' ? data.step : 0;
    return [
      {
        type: 'image',
        data: {
          image,
          of,
          index,
          step,
          prompt: typeof prompt === 'string' ? prompt : '',
          sample: typeof sample === 'number' ? sample : 0,
        },
      },
    ];
  });
}
