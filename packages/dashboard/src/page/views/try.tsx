/** The model at work: draws a prompt as the server's model is now, and reads in what it drew. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { urlOf } from '../data/pictures.ts';
import type { Session } from '../data/session.ts';
import { percent, short } from '../parts/format.ts';
import { TokenLegend, TokenStrip, type TokenTrace } from '../parts/token-strip.tsx';

interface Drawn {
  readonly url: string;
  readonly png: Uint8Array;
  readonly logProb: number | undefined;
}

interface Score extends TokenTrace {
  readonly value: number;
}

export function TryView({ session }: { readonly session: Session }) {
  const [prompt, setPrompt] = useState('a photo of a red circle');
  const [count, setCount] = useState(4);
  const [seed, setSeed] = useState(0);
  const [drawn, setDrawn] = useState<readonly Drawn[]>([]);
  const [drawnPrompt, setDrawnPrompt] = useState('');
  const [phase, setPhase] = useState('');
  const work = useRef<AbortController>(undefined);
  useEffect(() => () => work.current?.abort(), []);
  if (!session.offers('generate')) {
    return (
      <p class="empty">
        This server has no model. One that trains has (<code>gvu train --serve</code>), or one that is started with an
        adapter (<code>gvu serve --adapter runs/first</code>).
      </p>
    );
  }

  const draw = async () => {
    work.current?.abort();
    const controller = new AbortController();
    work.current = controller;
    const { signal } = controller;
    const images: Drawn[] = [];
    setDrawn([]);
    setDrawnPrompt(prompt);
    setPhase('sent');
    try {
      const { drawings } = await session.client.request(
        'generate',
        { prompt, count, seed },
        {
          signal,
          onProgress: setPhase,
          onImage: (frame) => {
            images[frame.index] = { url: urlOf(frame), png: frame.bytes.slice(), logProb: undefined };
            setDrawn([...images]);
          },
        },
      );
      setDrawn(images.map((image, i) => ({ ...image, logProb: drawings[i]?.logProb })));
      setPhase('');
    } catch (error) {
      if (!signal.aborted) setPhase(error instanceof Error ? error.message : String(error));
    }
  };
  const busy = ['sent', 'queued', 'running'].includes(phase);

  return (
    <section aria-label="Try a prompt">
      <form
        class="card try"
        onSubmit={(event) => {
          event.preventDefault();
          void draw();
        }}
      >
        <label class="grow">
          Prompt
          <input
            type="text"
            value={prompt}
            required
            maxLength={4096}
            onInput={({ currentTarget }) => setPrompt(currentTarget.value)}
          />
        </label>
        <label>
          Drawings
          <input
            type="number"
            min="1"
            max="64"
            value={count}
            onInput={({ currentTarget }) => setCount(Number(currentTarget.value))}
          />
        </label>
        <label>
          Seed
          <input
            type="number"
            min="0"
            value={seed}
            onInput={({ currentTarget }) => setSeed(Number(currentTarget.value))}
          />
        </label>
        <button type="submit" class="primary" disabled={busy || !session.may('infer')}>
          {busy ? 'Drawing…' : 'Draw'}
        </button>
      </form>
      <p class="status" role="status">
        {phase === 'queued'
          ? 'Waiting for the model: training has it.'
          : phase === 'running'
            ? 'The model draws.'
            : phase === 'sent'
              ? ''
              : phase}
      </p>
      <div class="tries">
        {drawn.map((drawing, i) => (
          <Attempt key={`${drawing.url} ${i}`} session={session} drawing={drawing} prompt={drawnPrompt} />
        ))}
      </div>
    </section>
  );
}

function Attempt({
  session,
  drawing,
  prompt,
}: {
  readonly session: Session;
  readonly drawing: Drawn;
  readonly prompt: string;
}) {
  const [score, setScore] = useState<Score>();
  const [problem, setProblem] = useState('');
  const { url, png, logProb } = drawing;
  const read = async () => {
    setProblem('');
    try {
      setScore(await session.client.request('score', { image: { png: base64(png) }, text: prompt }));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <article class="card attempt">
      <img class="picture pixels" src={url} alt={`Drawing of “${prompt}”`} />
      <p>
        {logProb === undefined ? null : <small class="quiet">log-probability {short(logProb)}</small>}
        {score ? (
          <b>{percent(score.value)}</b>
        ) : (
          <button type="button" onClick={() => void read()}>
            Read it
          </button>
        )}
      </p>
      {score && (
        <>
          <TokenStrip {...score} />
          <TokenLegend />
        </>
      )}
      {problem !== '' && <p role="alert">{problem}</p>}
    </article>
  );
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
