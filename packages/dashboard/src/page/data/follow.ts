/**
 * Everything of a channel, from its beginning on and as it happens. What the server leaves out because this page was slow for a
 * moment is fetched afterwards, so that nothing is missing in the end; events may then come out of order.
 */
import type { ChannelEvent, ChannelName, Client } from '@gvu/server/client';

export interface Following {
  readonly run: string;
  readonly channel: ChannelName;
  /** What was taken before counts no more: `head` events are there already. */
  readonly onStart: (head: number) => void;
  readonly onEvent: (event: ChannelEvent) => void;
}

/** Until the client is closed, or the run is gone: rejects with what the server says. */
export async function follow(client: Client, { run, channel, onStart, onEvent }: Following): Promise<void> {
  let epoch = '';
  for await (const item of client.subscribe({ run, channel, from: 'earliest' })) {
    if (item.kind === 'event') onEvent(item);
    else if (item.kind === 'start') {
      epoch = item.epoch;
      onStart(item.head);
    } else if (item.kind === 'dropped') {
      const { from, to } = item;
      const missed = { epoch, from, to };
      // If it fails, so does the loop: there is one connection.
      fetchMissed(client, { run, channel, onEvent, ...missed }).catch(() => {});
    }
  }
}

async function fetchMissed(
  client: Client,
  { run, channel, onEvent, epoch, from, to }: Omit<Following, 'onStart'> & { epoch: string; from: number; to: number },
): Promise<void> {
  let begun = false;
  for await (const item of client.subscribe({ run, channel, from: { epoch, offset: from } })) {
    if (item.kind === 'start') {
      // Of another log: what was missed is gone with the old one.
      if (begun || !item.recovered) return;
      begun = true;
    } else if (item.kind === 'event') {
      if (item.offset < to) onEvent(item);
      if (item.offset >= to - 1) return;
    } else if (item.kind === 'dropped' && item.from >= to) return;
  }
}
