/** The server alone in a process. Argument: folder of the runs. Tells its parent the URL, and its memory and processor time when asked. */
import { createServer } from '@gvu/server';

const server = await createServer({ runs: process.argv[2] ?? '', limits: { connections: 5000, stallMs: 5000 } });
process.send?.(server.url);
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ residentMb: process.memoryUsage().rss / 2 ** 20, cpuSeconds: (user + system) / 1e6 });
});
process.on('disconnect', () => process.exit());
