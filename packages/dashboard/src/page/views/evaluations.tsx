/** Evaluations over training: the score by category, exams in reading, and the same prompts drawn again and again. */
import { useState } from 'preact/hooks';
import { Chart, type Range } from '../chart/chart.tsx';
import { curveOf } from '../chart/curves.ts';
import type { RunData } from '../data/run-data.ts';
import type { Session } from '../data/session.ts';
import { short, words } from '../parts/format.ts';
import { useStores } from '../parts/hooks.ts';
import { Picture } from '../parts/picture.tsx';
import { spread } from './rollouts.tsx';

const columnsShown = 8;

export function EvaluationsView({ session, data }: { readonly session: Session; readonly data: RunData }) {
  useStores([data]);
  data.open('evaluations');
  const [range, setRange] = useState<Range>();
  const { evaluations } = data;
  const newest = evaluations.at(-1)?.data;
  if (!newest) {
    return <p class="empty">{data.arrived('evaluations') < 1 ? 'Loading…' : 'No evaluation yet.'}</p>;
  }
  const { score } = newest;
  const tags = Object.keys(newest.byTag);
  const lines = tags.map((tag, i) => ({
    label: words(tag),
    colour: i + 1,
    curve: curveOf(evaluations.map(({ step, data: { byTag } }) => [step, byTag[tag]?.mean[score] ?? Number.NaN])),
  }));
  const overall = {
    label: 'overall',
    colour: 0,
    curve: curveOf(evaluations.map(({ step, data: one }) => [step, one.overall[score] ?? Number.NaN])),
  };
  const first = evaluations[0]?.data;
  return (
    <section aria-label="Evaluations">
      <Chart
        title={`Score by category (${score})`}
        note="mean over held-out prompts"
        lines={tags.length > 1 ? [...lines, overall] : [overall]}
        range={range}
        onRange={setRange}
        group={`${data.run} evaluations`}
        height={300}
      />
      <div class="card scroll">
        <table>
          <caption>Before training and after step {newest.step}</caption>
          <thead>
            <tr>
              <th scope="col">Category</th>
              <th scope="col">Before</th>
              <th scope="col">Now</th>
              <th scope="col">Change</th>
              <th scope="col">Drawings</th>
            </tr>
          </thead>
          <tbody>
            {tags.map((tag) => (
              <ScoreRow
                key={tag}
                name={words(tag)}
                before={first?.byTag[tag]?.mean[score]}
                now={newest.byTag[tag]?.mean[score]}
                n={newest.byTag[tag]?.n}
              />
            ))}
            <ScoreRow name="overall" before={first?.overall[score]} now={newest.overall[score]} n={undefined} />
          </tbody>
        </table>
      </div>
      <Exams data={data} />
      <Evolution session={session} data={data} />
    </section>
  );
}

interface ScoreRowProps {
  readonly name: string;
  readonly before: number | null | undefined;
  readonly now: number | null | undefined;
  readonly n: number | undefined;
}

function ScoreRow({ name, before, now, n }: ScoreRowProps) {
  const change = (now ?? Number.NaN) - (before ?? Number.NaN);
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{short(before)}</td>
      <td>{short(now)}</td>
      <td class={change > 0 ? 'better' : change < 0 ? 'worse' : ''}>
        {Number.isNaN(change) ? '–' : `${change > 0 ? '+' : change < 0 ? '−' : '±'}${Math.abs(change).toFixed(3)}`}
      </td>
      <td>{n ?? ''}</td>
    </tr>
  );
}

function Exams({ data }: { readonly data: RunData }) {
  if (data.exams.length === 0) return null;
  const shown = spread(data.exams, columnsShown);
  const kinds = [...new Set(shown.flatMap(({ data: { scores } }) => Object.keys(scores)))];
  return (
    <div class="card scroll">
      <table>
        <caption>Exams in reading: right answers</caption>
        <thead>
          <tr>
            <th scope="col">Questions</th>
            {shown.map(({ seq, step, data: { name } }) => (
              <th key={seq} scope="col">
                {name}, step {step}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {kinds.map((kind) => (
            <tr key={kind}>
              <th scope="row">{words(kind)}</th>
              {shown.map(({ seq, data: { scores } }) => {
                const { correct, n } = scores[kind] ?? { correct: Number.NaN, n: 0 };
                return <td key={seq}>{n === 0 ? '–' : `${((100 * correct) / n).toFixed(0)}% of ${n}`}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Figure 5 of the paper: held-out prompts, drawn with the same randomness at each evaluation. */
function Evolution({ session, data }: { readonly session: Session; readonly data: RunData }) {
  const shown = spread(data.evaluations, columnsShown);
  const newest = shown.at(-1)?.data;
  const drawings = newest?.drawings
    .map((drawing, index) => ({ ...drawing, index }))
    .filter(({ image }) => image !== null);
  if (!newest || !drawings || drawings.length === 0) return null;
  return (
    <div class="card scroll evolution">
      <table>
        <caption>The same prompts across steps</caption>
        <thead>
          <tr>
            <th scope="col">Prompt</th>
            {shown.map(({ step }) => (
              <th key={step} scope="col">
                {step === 0 ? 'before' : `step ${step}`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {drawings.map(({ prompt, index }) => (
            <tr key={index}>
              <th scope="row">{prompt}</th>
              {shown.map(({ step, data: { drawings: then } }) => {
                const drawing = then[index];
                const value = drawing?.rewards[newest.score];
                return (
                  <td key={step}>
                    <Picture
                      session={session}
                      run={data.run}
                      name={drawing?.image ?? null}
                      alt={`${prompt}, step ${step}`}
                    />
                    <small>{short(value)}</small>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
