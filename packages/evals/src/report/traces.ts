/** Recorded drawings of training with what every token of the prompt contributed to the reward: the stronger its colour, the less it was expected. */
import type { RolloutEvent } from '@gvu/rl';
import { brief, signed } from '../numbers.ts';
import type { RunRecord } from '../run-record.ts';
import { Html, html, shortened } from './html.ts';
import type { Pictures } from './pictures.ts';

const mostGroups = 6;
const mostTokens = 80;
/** Nats at which a token has its full colour: a probability of 2 %. */
const fullShade = 4;

/** The best and the worst drawing of some groups, from the first step to the last. */
export async function tracesSection({ rollouts }: RunRecord, pictures: Pictures): Promise<Html> {
  const groups = new Map<string, RolloutEvent[]>();
  for (const rollout of rollouts) {
    if (Object.keys(rollout.traces).length === 0) continue;
    const key = `${rollout.step}/${rollout.group}`;
    const group = groups.get(key);
    if (group) group.push(rollout);
    else groups.set(key, [rollout]);
  }
  const all = [...groups.values()];
  const count = Math.min(mostGroups, all.length);
  const shown = Array.from(
    { length: count },
    (_, i) => all[Math.round((i * (all.length - 1)) / Math.max(1, count - 1))],
  );
  const cards: Html[] = [];
  for (const group of shown) {
    const judged = (group ?? [])
      .filter(({ reward }) => reward !== null)
      .sort((a, b) => (b.reward ?? 0) - (a.reward ?? 0));
    for (const rollout of new Set([judged[0], judged.at(-1)])) {
      if (rollout) cards.push(await rolloutCard(rollout, pictures));
    }
  }
  if (cards.length === 0) return html``;
  return html`<section><h2>What the teacher read</h2>
<p>Drawings of training, the best and the worst of a group. Below each token of the prompt stands its log-probability, in nats, given the picture: 0 = certain; the stronger its colour, the less the token was expected.</p>
<div class="traces">${cards}</div></section>`;
}

async function rolloutCard(rollout: RolloutEvent, pictures: Pictures): Promise<Html> {
  const { step, group, sample, prompt, reward, rewards, advantage, traces, teacher } = rollout;
  const alt = `Drawing ${sample} of group ${group} in step ${step} for "${shortened(prompt, 200)}", reward ${brief(reward)}`;
  const names = Object.entries(rewards).map(([name, value]) => `${name} ${brief(value)}`);
  const read = Object.entries(traces).map(([name, { tokens, logProbs }]) => {
    const marks = tokens.slice(0, mostTokens).map((token, i) => tokenMark(token, logProbs[i] ?? null));
    return html`<p class="tokens" role="group" aria-label="Tokens read by ${name}">${marks}${tokens.length > mostTokens && '…'}</p>`;
  });
  return html`<div class="trace">${await pictures.show(rollout.image, alt)}<div>
<p>Step ${step}, group ${group}, drawing ${sample}: reward ${brief(reward)}, advantage ${signed(advantage, 2)}<br>
<span class="tag">${names.join(', ')}${teacher && `; teacher: ${teacher.kind} ${teacher.version}`}</span></p>${read}</div></div>`;
}

function tokenMark(token: string, logProb: number | null): Html {
  const shade = logProb === null ? 0 : Math.min(1, Math.max(0, -logProb / fullShade));
  // The number is ours, so the style attribute holds nothing from the log.
  const style = new Html(`style="--shade:${Math.round(shade * 100)}%"`);
  return html`<span class="token" ${style}><span>${shortened(token, 40)}</span><small>${logProb === null ? '-' : logProb.toFixed(2)}</small></span> `;
}
