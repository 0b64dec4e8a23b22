/** Where in the page one is, as the address says: `#/rollouts?run=first&step=12`. So it can be reloaded, linked to and left with Back. */
import { useEffect, useState } from 'preact/hooks';

export const views = ['curves', 'rollouts', 'evaluations', 'compare', 'try'] as const;
export type ViewName = (typeof views)[number];

export interface Route {
  readonly view: ViewName;
  /** Of the view; an empty one is none. */
  readonly params: Readonly<Record<string, string | undefined>>;
}

export function parseRoute(hash: string): Route {
  const [, path = '', query = ''] = /^#\/?([^?]*)\??(.*)$/.exec(hash) ?? [];
  const view = views.find((name) => name === path) ?? 'curves';
  return { view, params: Object.fromEntries(new URLSearchParams(query)) };
}

export function routeHref({ view, params }: Route): string {
  const given = Object.entries(params).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  const query = new URLSearchParams(given).toString();
  return `#/${view}${query === '' ? '' : `?${query}`}`;
}

/** Goes there. With `replace`, Back does not come by the place that is left. */
export function go(route: Route, { replace = false }: { readonly replace?: boolean } = {}): void {
  const href = routeHref(route);
  if (href === location.hash) return;
  if (!replace) {
    location.hash = href;
    return;
  }
  history.replaceState(null, '', href);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const change = () => setRoute(parseRoute(location.hash));
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return route;
}
