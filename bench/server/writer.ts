/** The trainer's part, in its own process: appends events to a log at a rate, until its parent lets go. Arguments: folder, rate. */
import { EventLog } from '@gvu/core';
import { syntheticEvent } from './synthetic.ts';

const [directory = '', rate = '200'] = process.argv.slice(2);
let over = false;
process.on('disconnect', () => {
  over = true;
});
await using log = await EventLog.open(directory);
process.send?.('ready');
const begin = performance.now();
for (let n = 0; !over; ) {
  const due = ((performance.now() - begin) / 1000) * Number(rate);
  for (; n < due; n++) {
    const { type, data } = syntheticEvent(n);
    log.append(type, data);
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}
