/** The page's own hooks. */
import { useEffect, useState } from 'preact/hooks';
import type { Store } from '../data/store.ts';

/** Renders again whenever one of these changes. */
export function useStores(stores: readonly Store[]): void {
  const [, setCount] = useState(0);
  useEffect(() => {
    const stop = stores.map((store) => store.listen(() => setCount((count) => count + 1)));
    return () => {
      for (const leave of stop) leave();
    };
  }, stores);
}

/** Calls whenever the colours of the page change. */
export function onColourChange(change: () => void): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', change);
  return () => dark.removeEventListener('change', change);
}
