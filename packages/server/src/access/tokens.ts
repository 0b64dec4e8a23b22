/** Who may do what: tokens with scopes, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Scope } from '../protocol/hello.ts';

export interface AccessToken {
  /** At least 16 characters. */
  readonly token: string;
  readonly scopes: readonly Scope[];
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export class Tokens {
  readonly #known: readonly { readonly digest: Buffer; readonly scopes: ReadonlySet<Scope> }[];
  readonly #anonymous: ReadonlySet<Scope>;

  /** `anonymous`: what may be done without a token. */
  constructor(tokens: readonly AccessToken[], anonymous: readonly Scope[]) {
    this.#known = tokens.map(({ token, scopes }) => ({ digest: digest(token), scopes: new Set(scopes) }));
    this.#anonymous = new Set(anonymous);
  }

  /** The scopes of a token, or of none; undefined when they allow nothing, or the token is not known. */
  scopesOf(token: string | undefined): ReadonlySet<Scope> | undefined {
    if (token === undefined) return this.#anonymous.size > 0 ? this.#anonymous : undefined;
    const given = digest(token);
    let found: ReadonlySet<Scope> | undefined;
    // Every one is compared, whichever it is: the time tells nothing.
    for (const known of this.#known) if (timingSafeEqual(known.digest, given)) found = known.scopes;
    return found;
  }
}
