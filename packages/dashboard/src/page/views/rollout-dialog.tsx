/** One drawing in full: the picture, what the model read in it token by token, and every number that belongs to it. */
import type { Rollout } from '../data/rollout-wall.ts';
import { routeHref } from '../data/route.ts';
import type { Session } from '../data/session.ts';
import { Dialog } from '../parts/dialog.tsx';
import { short, signed } from '../parts/format.ts';
import { Picture } from '../parts/picture.tsx';
import { TokenLegend, TokenStrip } from '../parts/token-strip.tsx';

interface RolloutDialogProps {
  readonly session: Session;
  readonly run: string;
  readonly rollout: Rollout;
  /** To the next drawing (1) or the one before (-1). */
  readonly onTurn: (by: 1 | -1) => void;
  readonly onClose: () => void;
}

export function RolloutDialog({ session, run, rollout, onTurn, onClose }: RolloutDialogProps) {
  const { prompt, step, group, sample, seed, rewards, reward, advantage, traces, teacher, sampler, logProb, image } =
    rollout;
  const names = Object.keys(rewards);
  const facts: readonly (readonly [string, string])[] = [
    ...(names.length > 1 ? [['Reward', short(reward)] as const] : []),
    ...names.map((name) => [`Reward ${name}`, short(rewards[name])] as const),
    ['Advantage', signed(advantage)],
    ['Log-probability', `${short(logProb)} nats a decision`],
    ['Teacher', teacher ? `${teacher.kind}, reads ${teacher.representation.replaceAll('-', ' ')}` : '–'],
    [
      'Sampler',
      Object.entries(sampler)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    ],
    ['Place', `step ${step}, group ${group}, drawing ${sample}, seed ${seed}`],
  ];
  const turn = ({ key }: KeyboardEvent) => {
    if (key === 'ArrowRight') onTurn(1);
    if (key === 'ArrowLeft') onTurn(-1);
  };
  return (
    <Dialog title={prompt} onClose={onClose} onKeyDown={turn}>
      <div class="detail">
        <div class="stage">
          <Picture key={image} session={session} run={run} name={image} alt={`Drawing of “${prompt}”`} whole />
          <div class="bar">
            <button type="button" onClick={() => onTurn(-1)}>
              ‹ Previous
            </button>
            <button type="button" onClick={() => onTurn(1)}>
              Next ›
            </button>
          </div>
        </div>
        <div class="facts">
          {Object.entries(traces).map(([name, trace]) => (
            <section key={name}>
              <h3>How probable the prompt is, given the picture{Object.keys(traces).length > 1 ? ` (${name})` : ''}</h3>
              <TokenStrip {...trace} />
            </section>
          ))}
          {Object.keys(traces).length > 0 ? (
            <TokenLegend />
          ) : (
            <p class="quiet">No reward of this run reads the prompt.</p>
          )}
          <dl>
            {facts.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          <a class="button" href={routeHref({ view: 'rollouts', params: { run, prompt } })} onClick={onClose}>
            This prompt across steps
          </a>
        </div>
      </div>
    </Dialog>
  );
}
