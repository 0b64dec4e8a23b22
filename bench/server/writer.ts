/** The trainer's part, in its own process: appends events to a log at a rate, or as many as wanted at once. Arguments: folder, rate, seconds. */
import { EventLog } from '@gvu/core';
import { syntheticEvent } from './synthetic.ts';

const [directory = '', rate = '200', seconds = '60'] = process.argv.slice(2);
const total = Number(rate) * Number(seconds);
await using log = await EventLog.open(directory);
const begin = performance.now();
for (let n = 0; n < total; ) {
  const due = Math.min(total, ((performance.now() - begin) / 1000) * Number(rate));
  for (; n < due; n++) {
    const { type, data } = syntheticEvent(n);
    log.append(type, data);
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}
