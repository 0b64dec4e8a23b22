/** The wall of drawings: those of one step by group, each with its reward and advantage; or those of one prompt, step by step. */
import { useEffect, useState } from 'preact/hooks';
import type { Rollout } from '../data/rollout-wall.ts';
import { go, type Route, routeHref } from '../data/route.ts';
import type { RunData } from '../data/run-data.ts';
import type { Session } from '../data/session.ts';
import { short, signed, words } from '../parts/format.ts';
import { useStores } from '../parts/hooks.ts';
import { Picture } from '../parts/picture.tsx';
import { RolloutDialog } from './rollout-dialog.tsx';

interface RolloutsProps {
  readonly session: Session;
  readonly data: RunData;
  readonly route: Route;
}

/** Rows of a prompt's history that are shown at first. */
const rowsShown = 40;

export function RolloutsView(props: RolloutsProps) {
  const { session, data, route } = props;
  useStores([data]);
  data.open('rollouts');
  useEffect(() => session.pictures.follow(session.client, data.run), [session, data]);
  const { steps } = data.rollouts;
  if (steps.length === 0) {
    return (
      <p class="empty">
        {data.arrived('rollouts') < 1 ? 'Loading…' : 'No drawings yet. Those of the first step come when it is done.'}
      </p>
    );
  }
  const { prompt } = route.params;
  return prompt === undefined ? <StepWall {...props} steps={steps} /> : <PromptWall {...props} prompt={prompt} />;
}

function StepWall({ session, data, route, steps }: RolloutsProps & { readonly steps: readonly number[] }) {
  const newest = steps.at(-1) ?? 0;
  const given = Number(route.params.step);
  const follows = route.params.step === undefined;
  const at = follows
    ? steps.length - 1
    : Math.max(
        0,
        steps.findLastIndex((step) => step <= given),
      );
  const step = steps[at] ?? newest;
  const show = (index: number) => {
    const to = steps[Math.max(0, Math.min(steps.length - 1, index))];
    go({ view: 'rollouts', params: { run: data.run, step: String(to) } }, { replace: true });
  };
  const follow = () => go({ view: 'rollouts', params: { run: data.run } }, { replace: true });
  return (
    <section aria-label="Drawings by step">
      <div class="bar sticky">
        <button type="button" aria-label="Previous step" disabled={at === 0} onClick={() => show(at - 1)}>
          ‹
        </button>
        <label class="inline grow">
          <span>
            Step <b>{step}</b>
          </span>
          <input
            type="range"
            min="0"
            max={steps.length - 1}
            value={at}
            aria-valuetext={`step ${step}`}
            onInput={({ currentTarget }) => show(Number(currentTarget.value))}
          />
        </label>
        <button type="button" aria-label="Next step" disabled={at === steps.length - 1} onClick={() => show(at + 1)}>
          ›
        </button>
        <label class="inline">
          <input type="checkbox" checked={follows} onChange={() => (follows ? show(at) : follow())} /> Newest
        </label>
      </div>
      {data.rollouts.forgotten > 0 && (
        <p class="quiet">Drawings of the first {data.rollouts.forgotten} steps are left out.</p>
      )}
      <Wall session={session} run={data.run} groups={data.rollouts.groups(step)} by="prompt" />
    </section>
  );
}

function PromptWall({ session, data, prompt }: RolloutsProps & { readonly prompt: string }) {
  const [all, setAll] = useState(false);
  const groups = data.rollouts.ofPrompt(prompt);
  const shown = all ? groups : spread(groups, rowsShown);
  return (
    <section aria-label="One prompt across steps">
      <div class="bar">
        <a class="button" href={routeHref({ view: 'rollouts', params: { run: data.run } })}>
          ‹ All prompts
        </a>
        <h2 class="prompt">{prompt}</h2>
        <span class="quiet">{groups.length === 1 ? 'drawn at one step' : `drawn at ${groups.length} steps`}</span>
        {groups.length > shown.length && (
          <button type="button" onClick={() => setAll(true)}>
            Show all
          </button>
        )}
      </div>
      <Wall session={session} run={data.run} groups={shown} by="step" />
    </section>
  );
}

interface WallProps {
  readonly session: Session;
  readonly run: string;
  readonly groups: readonly (readonly Rollout[])[];
  /** What the heading of a group says. */
  readonly by: 'prompt' | 'step';
}

function Wall({ session, run, groups, by }: WallProps) {
  const [open, setOpen] = useState<Rollout>();
  const all = groups.flat();
  const turn = (by: number) => {
    const at = open ? all.findIndex(({ seq }) => seq === open.seq) : -1;
    setOpen((now) => all[at + by] ?? now);
  };
  return (
    <div class="wall">
      {groups.map((group) => {
        const [first] = group;
        if (!first) return null;
        const { step, prompt, tag } = first;
        const rewards = group.flatMap(({ reward }) => (reward === null ? [] : [reward]));
        const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
        const href = routeHref({
          view: 'rollouts',
          params: by === 'prompt' ? { run, prompt } : { run, step: String(step) },
        });
        return (
          <section
            key={`${step} ${first.group}`}
            class="card group"
            aria-label={by === 'prompt' ? prompt : `Step ${step}`}
          >
            <header>
              <h3>
                <a href={href} title={by === 'prompt' ? 'This prompt across steps' : 'All drawings of this step'}>
                  {by === 'prompt' ? prompt : `Step ${step}`}
                </a>
              </h3>
              {tag !== null && by === 'prompt' && <span class="tag">{words(tag)}</span>}
              <span class="quiet">mean {short(mean)}</span>
            </header>
            <div class="tiles">
              {group.map((rollout) => (
                <Tile
                  key={rollout.sample}
                  session={session}
                  run={run}
                  rollout={rollout}
                  onOpen={() => setOpen(rollout)}
                />
              ))}
            </div>
          </section>
        );
      })}
      {open && (
        <RolloutDialog session={session} run={run} rollout={open} onTurn={turn} onClose={() => setOpen(undefined)} />
      )}
    </div>
  );
}

function Tile({
  session,
  run,
  rollout,
  onOpen,
}: {
  session: Session;
  run: string;
  rollout: Rollout;
  onOpen: () => void;
}) {
  const { prompt, sample, reward, advantage, image } = rollout;
  const side = advantage > 0.005 ? 'better' : advantage < -0.005 ? 'worse' : 'same';
  return (
    <button
      type="button"
      class={`tile ${side}`}
      aria-label={`Drawing ${sample + 1} of “${prompt}”: reward ${short(reward)}, advantage ${signed(advantage)}`}
      onClick={onOpen}
      onKeyDown={moveFocus}
    >
      <Picture session={session} run={run} name={image} alt="" />
      <span class="numbers">
        <b>{short(reward)}</b>
        <span class="advantage">{signed(advantage)}</span>
      </span>
    </button>
  );
}

/** Arrows move between the drawings: along a group, and to the same place of the next one. */
function moveFocus(event: KeyboardEvent): void {
  const { currentTarget: tile, key } = event;
  const wall = tile instanceof HTMLElement ? tile.closest('.wall') : null;
  if (!(tile instanceof HTMLElement) || !wall) return;
  const rows = [...wall.querySelectorAll<HTMLElement>('.tiles')].map((row) => [
    ...row.querySelectorAll<HTMLElement>('.tile'),
  ]);
  const row = rows.findIndex((tiles) => tiles.includes(tile));
  const column = rows[row]?.indexOf(tile) ?? 0;
  const all = rows.flat();
  const to: Readonly<Record<string, HTMLElement | undefined>> = {
    ArrowLeft: all[all.indexOf(tile) - 1],
    ArrowRight: all[all.indexOf(tile) + 1],
    ArrowUp: rows[row - 1]?.[column],
    ArrowDown: rows[row + 1]?.[column],
  };
  if (!(key in to)) return;
  event.preventDefault();
  to[key]?.focus();
}

/** At most so many of a list, evenly over it, with both ends. */
export function spread<T>(list: readonly T[], most: number): readonly T[] {
  if (list.length <= most) return list;
  const places = Array.from({ length: most }, (_, i) => Math.round((i * (list.length - 1)) / (most - 1)));
  return places.flatMap((place) => list.slice(place, place + 1));
}
