/** Where the time of a run goes. */
import type { Runtime } from '@gvu/onnx';

/** In seconds: by the clock, and how much of that ONNX Runtime was at work. The rest is JavaScript, copying and waiting. */
export interface PhaseTime {
  readonly seconds: number;
  readonly engine: number;
}

/** The time since the last call. */
export type PhaseClock = () => PhaseTime;

export function phaseClock(runtime: Pick<Runtime, 'runSeconds'>): PhaseClock {
  const clock = stopwatch();
  let before = runtime.runSeconds;
  return () => {
    const now = runtime.runSeconds;
    const engine = now - before;
    before = now;
    return { seconds: clock(), engine };
  };
}

/** Seconds since the last call. */
export function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
