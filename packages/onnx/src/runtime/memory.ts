/** How much memory the process holds. ONNX Runtime's share is inside: its arenas belong to no heap that Node knows. */
import { readFileSync } from 'node:fs';

/** The largest resident set so far, in bytes. */
export function peakRssBytes(): number {
  if (process.platform === 'linux') {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (peak !== undefined) return Number(peak) * 1024;
  }
  // In kilobytes on every platform. On Linux it would also count what the process was before `exec`.
  return process.resourceUsage().maxRSS * 1024;
}
