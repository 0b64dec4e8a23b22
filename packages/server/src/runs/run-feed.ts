/**
 * Follows the log of one run for all clients together: reads it once, sorts its events into channels, and wakes subscribers at
 * most every few milliseconds, so that what happens together is sent together.
 */
import { readEvents, tailEvents } from '@gvu/core';
import { channelNames, type RunChannelName } from '../protocol/channel-names.ts';
import { ChannelFeed } from './channel-feed.ts';
import { RunPictures } from './pictures.ts';
import { asRunError } from './run-directory.ts';

const runChannels = channelNames.filter((name): name is RunChannelName => name !== 'server');
type ChannelFeeds = Readonly<Record<RunChannelName, ChannelFeed>>;

/** Between waking subscribers. Below what a person notices, and it makes a few large frames of many small ones. */
const gatherMs = 5;

export class RunFeed implements AsyncDisposable {
  readonly run: string;
  readonly epoch: string;
  readonly channels: ChannelFeeds;
  /** Settles when the log cannot be followed any more, or after disposing. */
  readonly over: Promise<void>;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    run: string,
    parts: { directory: string; epoch: string; channels: ChannelFeeds; events: number },
  ) {
    this.run = run;
    this.epoch = parts.epoch;
    this.channels = parts.channels;
    this.over = this.#follow(parts.directory, parts.events);
  }

  /**
   * Reads what is there; afterwards every channel knows its head.
   * @throws GVU_SERVER_RUN_UNKNOWN, GVU_LOG_CORRUPT
   */
  static async open(run: string, directory: string): Promise<RunFeed> {
    try {
      const { epoch } = await tailEvents(directory);
      const log = { directory, epoch, pictures: new RunPictures(directory) };
      const feeds = runChannels.map((name) => [name, new ChannelFeed(name, log)] as const);
      let events = 0;
      for await (const event of readEvents(directory)) {
        for (const [, feed] of feeds) feed.index(event);
        events = event.seq + 1;
      }
      // One entry was made for each name.
      return new RunFeed(run, { directory, epoch, channels: Object.fromEntries(feeds) as ChannelFeeds, events });
    } catch (error) {
      throw asRunError(run, error);
    }
  }

  async #follow(directory: string, offset: number): Promise<void> {
    try {
      const { epoch } = this;
      const tail = await tailEvents(directory, { from: { epoch, offset }, signal: this.#abort.signal });
      for await (const event of tail) {
        let json: string | undefined;
        const data = (): string => {
          json ??= JSON.stringify(event.data);
          return json;
        };
        for (const feed of Object.values(this.channels)) feed.add(event, data);
        this.#timer ??= setTimeout(this.#notify, gatherMs);
      }
    } catch (error) {
      this.#notify();
      for (const feed of Object.values(this.channels)) feed.end(asRunError(this.run, error));
    }
  }

  readonly #notify = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const feed of Object.values(this.channels)) feed.notify();
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.over;
  }
}
