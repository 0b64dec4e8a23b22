/** What is said about a run while it goes on: lines of text, made of its progress and its events. Pure. */
import type { RunEvent, TrainProgress } from '@gvu/rl';
import { duration } from '../terminal/time.ts';

type Metrics = TrainProgress['metrics'];

const shown = [
  ['reward/mean', 'reward', 4],
  ['kl', 'KL', 4],
  ['entropy', 'entropy', 3],
] as const;

/** One line about where the run is. */
export function progressLine({ phase, step, steps, metrics, secondsLeft }: TrainProgress): string {
  const place = `step ${step}/${steps}`;
  if (phase === 'evaluation') return `${place}  evaluating`;
  if (phase === 'exam') return `${place}  taking the exam in reading`;
  const parts = shown.flatMap(([name, label, digits]) => {
    const value = metrics[name];
    return typeof value === 'number' ? [`${label} ${value.toFixed(digits)}`] : [];
  });
  return [place, ...parts, ...speed(metrics), `${duration(secondsLeft)} left`].join('  ');
}

function speed(metrics: Metrics): readonly string[] {
  const value = metrics.decisions_per_second;
  return typeof value === 'number' ? [`${Math.round(value)} decisions/s`] : [];
}

/** What deserves a line that stays; undefined for events that do not. */
export function eventLine(event: RunEvent): string | undefined {
  switch (event.type) {
    case 'run.resumed':
      return `Goes on after step ${event.data.step}.`;
    case 'evaluation': {
      const { step, score, overall, byTag } = event.data;
      const number = (value: number | null | undefined) => (typeof value === 'number' ? value.toFixed(3) : '-');
      const tags = Object.entries(byTag).map(([tag, { mean }]) => `${tag} ${number(mean[score])}`);
      return `Evaluation after step ${step}: ${score} ${number(overall[score])}${tags.length > 1 ? `  (${tags.join(', ')})` : ''}`;
    }
    case 'exam': {
      const scores = Object.entries(event.data.scores).map(([kind, { correct, n }]) => `${kind} ${correct}/${n}`);
      return `Exam ${event.data.name} after step ${event.data.step}: ${scores.join(', ')}`;
    }
    case 'guard':
      return `${event.data.level === 'stop' ? 'Stopped' : 'Warning'} by the guard ${event.data.guard} at step ${event.data.step}: ${event.data.message}`;
    default:
      return undefined;
  }
}
