/**
 * The states of the policy in which it reads for rewards: as it is now, as it was at the start, or as a running average. A frozen
 * teacher cannot be talked into liking what the policy has come to draw; a live one reads what training has made of its reading too.
 */
import type { ActiveAdapter, Backend } from '@gvu/models';
import type { Reader, ReaderOf } from '@gvu/rewards';
import type { PolicyState } from './policy-state.ts';

export interface ReaderStates {
  readonly backend: Backend;
  readonly state: PolicyState;
  /** What the run started from: undefined = the model without an adapter. */
  readonly start: ActiveAdapter | undefined;
  /** Optimiser steps so far. */
  readonly updates: () => number;
}

export function readersOf({ backend, state, start, updates }: ReaderStates): ReaderOf {
  const reader = (
    kind: Reader['kind'],
    adapter: () => ActiveAdapter | undefined | Promise<ActiveAdapter>,
    version: () => string,
  ): Reader => ({
    kind,
    version,
    representations: backend.representations,
    read: async (requests, { signal }) => backend.read(requests, { adapter: await adapter(), signal }),
  });
  return (kind) => {
    switch (kind) {
      case 'frozen':
        return reader(
          kind,
          () => start,
          () => backend.version,
        );
      case 'live':
        return reader(
          kind,
          () => state.live,
          () => `${backend.version}+${updates()}`,
        );
      case 'ema': {
        const average = state.average();
        return reader(
          kind,
          () => average,
          () => `${backend.version}+ema${updates()}`,
        );
      }
    }
  };
}
