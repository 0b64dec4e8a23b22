/** The page: which run, which view of it, and whether the server is there. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import 'uplot/dist/uPlot.min.css';
import './page.css';
import { go, routeHref, useRoute, type ViewName, views } from './data/route.ts';
import { Session } from './data/session.ts';
import { useStores } from './parts/hooks.ts';
import { CompareView } from './views/compare.tsx';
import { CurvesView } from './views/curves.tsx';
import { EvaluationsView } from './views/evaluations.tsx';
import { RolloutsView } from './views/rollouts.tsx';
import { RunHeader, TokenDialog } from './views/run-header.tsx';
import { TryView } from './views/try.tsx';

const names: Readonly<Record<ViewName, string>> = {
  curves: 'Curves',
  rollouts: 'Drawings',
  evaluations: 'Evaluations',
  compare: 'Compare',
  try: 'Try it',
};

function Page({ session }: { readonly session: Session }) {
  useStores([session]);
  const route = useRoute();
  const { view, params } = route;
  const run = params.run ?? session.runs[0]?.run;
  // With the run in the address, a newer one does not take its place.
  useEffect(() => {
    if (params.run === undefined && run !== undefined) go({ view, params: { ...params, run } }, { replace: true });
    document.title = run === undefined ? 'GvU' : `${run} · ${names[view]} · GvU`;
  }, [run, view, params]);
  const data = run === undefined ? undefined : session.dataOf(run);
  const ofRun = view !== 'compare' && view !== 'try';
  return (
    <>
      <a class="skip" href={routeHref(route)} onClick={skip}>
        Skip to the content
      </a>
      <header class="top">
        <span class="logo">
          <img src="/icon.svg" alt="" width="24" height="24" /> GvU
        </span>
        {session.runs.length > 0 && (
          <label class="inline">
            <span class="wide-only">Run</span>
            <select
              aria-label="Run"
              value={run}
              onChange={({ currentTarget }) => go({ view, params: { run: currentTarget.value } })}
            >
              {run !== undefined && session.runs.every((known) => known.run !== run) && <option>{run}</option>}
              {session.runs.map(({ run: name, state, steered, reason }) => (
                <option key={name} value={name}>
                  {name} ({reason ?? (steered === 'running' ? 'training' : (steered ?? state))})
                </option>
              ))}
            </select>
          </label>
        )}
        <nav aria-label="Views">
          {views.map((name) => (
            <a
              key={name}
              href={routeHref({ view: name, params: run === undefined ? {} : { run } })}
              aria-current={name === view ? 'page' : undefined}
            >
              {names[name]}
            </a>
          ))}
        </nav>
        <Connection session={session} />
      </header>
      <main id="content" tabIndex={-1}>
        {session.state === 'refused' && session.hello === undefined ? null : data === undefined && ofRun ? (
          <p class="empty">
            {session.state === 'open'
              ? 'There are no runs yet. gvu train makes one, and it appears here.'
              : 'Connecting…'}
          </p>
        ) : null}
        {data && ofRun && <RunHeader key={data.run} session={session} data={data} />}
        {data && view === 'curves' && <CurvesView key={data.run} data={data} />}
        {data && view === 'rollouts' && <RolloutsView key={data.run} session={session} data={data} route={route} />}
        {data && view === 'evaluations' && <EvaluationsView key={data.run} session={session} data={data} />}
        {view === 'compare' && <CompareView session={session} route={route} />}
        {view === 'try' && session.hello && <TryView session={session} />}
      </main>
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

const connectionTexts = {
  connecting: 'connecting',
  open: 'connected',
  lost: 'reconnecting',
  refused: 'refused',
} as const;

function Connection({ session }: { readonly session: Session }) {
  const [asking, setAsking] = useState(true);
  const { state, refusal } = session;
  return (
    <>
      <span class={`connection ${state}`} role="status">
        {connectionTexts[state]}
      </span>
      {state === 'refused' && (
        <div class="banner" role="alert">
          {refusal}{' '}
          <button type="button" onClick={() => setAsking(true)}>
            Enter a token…
          </button>
          {asking && <TokenDialog onClose={() => setAsking(false)} />}
        </div>
      )}
      {state === 'lost' && (
        <div class="banner">The server is gone. What is shown stays, and goes on when the server is back.</div>
      )}
    </>
  );
}

const place = document.getElementById('page');
if (place) render(<Page session={new Session()} />, place);
