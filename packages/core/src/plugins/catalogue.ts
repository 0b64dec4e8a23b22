/**
 * The contributions of all plugins that are ready, by kind and id, and the search among them.
 *
 * A contribution is named `kind/id`, or by its id alone where that is not ambiguous. When a name is unknown the message
 * also knows what the plugins that failed would have brought.
 */
import { coreErrors } from '../core-errors.ts';
import { didYouMean, didYouMeanHint } from '../did-you-mean.ts';
import type { GvuError } from '../errors.ts';
import type { DeclaredContribution } from './manifest.ts';

export interface Contribution extends DeclaredContribution {
  /** Of the plugin that it comes from. */
  readonly plugin: { readonly name: string; readonly version: string; readonly directory: string };
}

interface CatalogueEntry {
  readonly contribution: Contribution;
  /** Its types were checked against the point of its kind where the plugin provided it. */
  readonly factory: (options: unknown, deps: unknown) => unknown;
}

export class ContributionCatalogue {
  readonly #entries = new Map<string, CatalogueEntry>();
  readonly #lost = new Map<string, string>();

  add(entry: CatalogueEntry): void {
    const name = contributionName(entry.contribution);
    this.#entries.set(name, entry);
    this.#lost.delete(name);
  }

  /** Remembers that a plugin would have brought `name`, had it not failed; `why` is the line of its problem. */
  addLost(name: string, why: string): void {
    if (!this.#entries.has(name)) this.#lost.set(name, why);
  }

  list(kind?: string): Contribution[] {
    const all = [...this.#entries.values()].map(({ contribution }) => contribution);
    return kind === undefined ? all : all.filter((contribution) => contribution.kind === kind);
  }

  /**
   * Finds `kind/id`, or an id; with `kind`, only among its contributions.
   * @throws GVU_PLUGIN_CONTRIBUTION_UNKNOWN, GVU_PLUGIN_CONTRIBUTION_AMBIGUOUS
   */
  find(reference: string, kind?: string): CatalogueEntry {
    const matches = [...this.#entries.values()].filter(({ contribution }) => {
      const named = reference === contributionName(contribution) || reference === contribution.id;
      return named && (kind === undefined || kind === contribution.kind);
    });
    const [match] = matches;
    if (match === undefined) throw this.#unknown(reference, kind);
    if (matches.length > 1) {
      const names = matches.map(({ contribution }) => contributionName(contribution)).join(' and ');
      throw coreErrors.error('GVU_PLUGIN_CONTRIBUTION_AMBIGUOUS', `${JSON.stringify(reference)} may be ${names}.`, {
        hint: 'Write the kind too.',
      });
    }
    return match;
  }

  clear(): void {
    this.#entries.clear();
    this.#lost.clear();
  }

  #unknown(reference: string, kind: string | undefined): GvuError {
    const what = `No plugin that is ready contributes ${JSON.stringify(reference)}${kind === undefined ? '' : ` to ${kind}`}.`;
    const lostName = [...this.#lost.keys()].find((name) => isNamed(name, reference, kind));
    if (lostName !== undefined) {
      return coreErrors.error('GVU_PLUGIN_CONTRIBUTION_UNKNOWN', what, {
        hint: `A plugin that failed would: ${this.#lost.get(lostName)}`,
      });
    }
    const names = this.list(kind).map(contributionName);
    const ids = this.list(kind).map(({ id }) => id);
    const near = didYouMean(reference, reference.includes('/') ? names : ids);
    const otherKind = [...this.#entries.keys()].find((name) => isNamed(name, reference, undefined));
    const hint =
      otherKind !== undefined
        ? `There is ${otherKind}, which is of another kind.`
        : near !== undefined
          ? didYouMeanHint(reference, [near]).trim()
          : `Known are: ${names.join(', ') || 'none'}.`;
    return coreErrors.error('GVU_PLUGIN_CONTRIBUTION_UNKNOWN', what, { hint });
  }
}

export function contributionName({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind}/${id}`;
}

function isNamed(name: string, reference: string, kind: string | undefined): boolean {
  const short = name.slice(name.indexOf('/') + 1);
  return (name === reference || short === reference) && (kind === undefined || name.startsWith(`${kind}/`));
}
