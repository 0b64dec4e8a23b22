/** The run that is looked at: how it stands, how long it will take, what it came to, and the controls. */
import { useState } from 'preact/hooks';
import type { RunData } from '../data/run-data.ts';
import { changeToken, type Session } from '../data/session.ts';
import { Dialog } from '../parts/dialog.tsx';
import { duration, short } from '../parts/format.ts';
import { useStores } from '../parts/hooks.ts';

interface RunHeaderProps {
  readonly session: Session;
  readonly data: RunData;
}

export function RunHeader({ session, data }: RunHeaderProps) {
  useStores([data, session]);
  data.open('metrics');
  data.open('evaluations');
  const steered = session.runs.find(({ run }) => run === data.run)?.steered;
  const { progress, metrics, started, end, evaluations } = data;
  const step = progress?.step ?? 0;
  const steps = progress?.steps ?? 0;
  const newest = evaluations.at(-1)?.data;
  const score = newest?.score ?? '';
  const tiles: readonly (readonly [name: string, value: string, more: string])[] = [
    ['Reward', short(metrics.last('reward/mean')), from(metrics.first('reward/mean'))],
    ...(newest
      ? ([[`Score (${score})`, short(newest.overall[score]), from(evaluations[0]?.data.overall[score])]] as const)
      : []),
    ['KL', short(metrics.last('kl')), ''],
    ['Decisions/s', short(metrics.last('decisions_per_second')), ''],
    end || steps === 0
      ? ['Time', duration(progress?.elapsedSeconds ?? Number.NaN), '']
      : [
          'Time left',
          duration((steps - step) * mean(data.recentSeconds)),
          `${duration(progress?.elapsedSeconds ?? Number.NaN)} so far`,
        ],
  ];
  return (
    <section class="card run" aria-label={`The run ${data.run}`}>
      <div class="head">
        <h1>{data.run}</h1>
        <RunState data={data} steered={steered} />
        <span class="quiet">
          {started
            ? `${started.backend.name}, ${short(started.trainable)} of ${short(started.backend.parameters)} values trained`
            : ''}
        </span>
        {steered && <Controls session={session} data={data} steered={steered} />}
      </div>
      {steps > 0 && (
        <label class="progress">
          <progress value={step} max={steps} aria-label={`Step ${step} of ${steps}`} />
          <span>
            step <b>{short(step)}</b> of {short(steps)}
          </span>
        </label>
      )}
      <dl class="stats">
        {tiles.map(([name, value, more]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {value} <small>{more}</small>
            </dd>
          </div>
        ))}
      </dl>
      {data.problem !== undefined && <p role="alert">{data.problem}</p>}
      <Milestones data={data} />
    </section>
  );
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const from = (value: number | null | undefined): string =>
  value === undefined || value === null ? '' : `from ${short(value)}`;

type Steered = 'running' | 'paused' | undefined;

function RunState({ data: { end }, steered }: { readonly data: RunData; readonly steered: Steered }) {
  if (end) return <span class={`pill ${end.reason === 'failed' ? 'bad' : 'ended'}`}>{end.reason}</span>;
  if (steered === 'paused') return <span class="pill held">paused</span>;
  // Without a word of its end it may be training elsewhere, or was killed.
  return <span class="pill live">{steered === 'running' ? 'training' : 'open'}</span>;
}

/** The newest things that deserve to be read; all of them on request. */
function Milestones({ data }: { readonly data: RunData }) {
  const { milestones } = data;
  const newest = milestones.findLast(({ kind }) => kind === 'guard' || kind === 'ended') ?? milestones.at(-1);
  if (!newest) return null;
  return (
    <details class="milestones">
      <summary>
        <span class={newest.kind === 'guard' ? 'warn' : ''}>
          Step {newest.step}: {newest.text}
        </span>
      </summary>
      <ol>
        {[...milestones].reverse().map(({ seq, step, text, time }) => (
          <li key={seq}>
            <time dateTime={time}>{new Date(time).toLocaleString()}</time> Step {step}: {text}
          </li>
        ))}
      </ol>
    </details>
  );
}

type Order = 'run.pause' | 'run.resume' | 'run.checkpoint' | 'run.stop';

function Controls({ session, data, steered }: RunHeaderProps & { readonly steered: 'running' | 'paused' }) {
  const [said, setSaid] = useState('');
  const [asking, setAsking] = useState<'stop' | 'token'>();
  if (data.end) return null;
  if (!session.may('control')) {
    return (
      <div class="controls">
        <button type="button" onClick={() => setAsking('token')}>
          Control…
        </button>
        {asking === 'token' && <TokenDialog onClose={() => setAsking(undefined)} />}
      </div>
    );
  }
  const order = async (method: Order, done: (step: number) => string) => {
    setSaid('…');
    try {
      const result = await session.client.request(method, { run: data.run });
      setSaid(done('step' in result ? result.step : 0));
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div class="controls">
      <span role="status" class="quiet">
        {said}
      </span>
      {steered === 'paused' ? (
        <button type="button" onClick={() => void order('run.resume', () => 'It goes on.')}>
          Resume
        </button>
      ) : (
        <button type="button" onClick={() => void order('run.pause', () => 'It pauses after this step.')}>
          Pause
        </button>
      )}
      <button type="button" onClick={() => void order('run.checkpoint', (step) => `Saved at step ${step}.`)}>
        Checkpoint
      </button>
      <button type="button" class="danger" onClick={() => setAsking('stop')}>
        Stop…
      </button>
      {asking === 'stop' && (
        <Dialog title={`Stop ${data.run}?`} onClose={() => setAsking(undefined)}>
          <p>It ends after the step under way, with a checkpoint, and can be continued later.</p>
          <div class="bar">
            <button
              type="button"
              class="danger"
              onClick={() => {
                setAsking(undefined);
                void order('run.stop', () => 'It ends after this step.');
              }}
            >
              Stop the run
            </button>
            <button type="button" onClick={() => setAsking(undefined)}>
              Go on
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

/** Asks for a token and connects with it. */
export function TokenDialog({ onClose }: { readonly onClose: () => void }) {
  const [token, setToken] = useState('');
  return (
    <Dialog title="Token" onClose={onClose}>
      <form
        class="bar"
        onSubmit={(event) => {
          event.preventDefault();
          changeToken(token.trim());
        }}
      >
        <label class="grow">
          As the program printed it behind <code>#token=</code>
          <input
            type="password"
            autocomplete="off"
            value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary">
          Connect
        </button>
      </form>
    </Dialog>
  );
}
