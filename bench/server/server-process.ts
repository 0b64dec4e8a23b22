/**
 * The server alone in a process. Argument: folder of the runs. Tells its parent the URL, and when asked its memory, its processor time and
 * how many clients it has sent away because they did not read.
 */
import { createServer } from '@gvu/server';

let tooSlow = 0;
const server = await createServer({
  runs: process.argv[2] ?? '',
  limits: { connections: 5000, stallMs: 5000 },
  log: (entry) => {
    if (entry.event === 'closed' && entry.code === 4409) tooSlow++;
  },
});
process.send?.(server.url);
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  const residentMb = process.memoryUsage().rss / 2 ** 20;
  process.send?.({ residentMb, cpuSeconds: (user + system) / 1e6, tooSlow });
});
process.on('disconnect', () => process.exit());
