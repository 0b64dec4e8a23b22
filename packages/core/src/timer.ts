/** Times given to timers: Node makes 1 ms of whatever its timers cannot hold, NaN and Infinity included, with no error. */

/** The longest that a timer of Node can wait. */
const longestMs = 2 ** 31 - 1;

/** Why a number of milliseconds cannot be that of a timer, as the end of a sentence; undefined when it can. */
export function timerProblem(ms: unknown): string | undefined {
  if (typeof ms === 'number' && ms >= 1 && ms <= longestMs) return undefined;
  return `must be a number from 1 to ${longestMs}, but is ${String(ms)}.`;
}
