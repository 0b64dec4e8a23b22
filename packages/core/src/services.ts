/**
 * The registry of services: typed tokens, lazy factories, scopes inside scopes, disposal in reverse order of creation.
 *
 * tsyringe keeps the registrations and the instances; nothing outside of this file sees it. Its global container stays
 * empty and is never asked, its decorators and emitted metadata are not used. What it lacks is added here: cycles are
 * reported with their path instead of as a stack overflow, a service never captures a narrower scope than its own, and
 * disposal has an order, waits, and survives a failing disposer. Factories are synchronous.
 */
import 'reflect-metadata'; // tsyringe refuses to be imported without it
import { type DependencyContainer, container as globalContainer, instanceCachingFactory } from 'tsyringe';
import { coreErrors } from './core-errors.ts';
import { didYouMeanHint } from './did-you-mean.ts';
import { type Cleanup, runCleanups } from './disposal.ts';
import { describeThrown } from './thrown.ts';

declare const serviceType: unique symbol;

/** Names a service of type `T`. Tokens of one name are the same token, also across two copies of this package. */
export interface ServiceToken<T extends NonNullable<unknown>> {
  readonly name: string;
  readonly key: symbol;
  /** Only for the type checker, never present: makes `T` invariant, so that a token cannot be widened to be filled. */
  readonly [serviceType]?: (value: T) => T;
}

/** `name` is the token's identity: write `<package>/<service>`, such as `@gvu/rl/clock`. */
export function serviceToken<T extends NonNullable<unknown>>(name: string): ServiceToken<T> {
  return { name, key: Symbol.for(`gvu.service:${name}`) };
}

/** Where services are asked for. */
export interface ServiceResolver {
  /** @throws GVU_SERVICE_UNKNOWN, GVU_SERVICE_CYCLE, GVU_SERVICE_DISPOSED, or whatever the factory of the service throws. */
  get<T extends NonNullable<unknown>>(token: ServiceToken<T>): T;
}

/** One scope of services. A scope sees its own services and those of the scopes around it. */
export class ServiceRegistry implements ServiceResolver, AsyncDisposable {
  /** Names the scope in messages. */
  readonly name: string;
  readonly #parent: ServiceRegistry | undefined;
  readonly #container: DependencyContainer = globalContainer.createChildContainer();
  readonly #serviceNames = new Set<string>();
  readonly #cleanups: Cleanup[] = [];
  /** The services being made at this moment, outermost first; one list for a tree of scopes. */
  readonly #beingMade: { readonly scope: ServiceRegistry; readonly name: string }[];
  /** What factories are handed: it only gives, and may be taken apart. */
  readonly #resolver: ServiceResolver = { get: (token) => this.get(token) };
  #disposal: Promise<void> | undefined;

  constructor(name: string, parent?: ServiceRegistry) {
    this.name = name;
    this.#parent = parent;
    this.#beingMade = parent === undefined ? [] : parent.#beingMade;
  }

  /**
   * Registers a service that is made when it is first asked for, once, and disposed of with this scope if it has
   * `Symbol.asyncDispose` or `Symbol.dispose`. The factory gets services of this scope, wherever it was asked from.
   * A scope may provide again what a scope around it provides; its own users then get that one.
   * @throws GVU_SERVICE_DUPLICATE, GVU_SERVICE_DISPOSED
   */
  provide<T extends NonNullable<unknown>>(token: ServiceToken<T>, factory: (services: ServiceResolver) => T): void {
    this.#register(token);
    const useFactory = instanceCachingFactory(() => {
      const service = factory(this.#resolver);
      const cleanup = disposerOf(service);
      if (cleanup !== undefined) this.#cleanups.push({ name: `service ${token.name}`, run: cleanup });
      return service;
    });
    this.#container.register<T>(token.key, { useFactory });
  }

  /**
   * Registers a value that the caller owns: it is never disposed of here.
   * @throws GVU_SERVICE_DUPLICATE, GVU_SERVICE_DISPOSED
   */
  provideValue<T extends NonNullable<unknown>>(token: ServiceToken<T>, value: T): void {
    this.#register(token);
    this.#container.register<T>(token.key, { useValue: value });
  }

  get<T extends NonNullable<unknown>>(token: ServiceToken<T>): T {
    this.#refuseWhenDisposed(`asked for service "${token.name}"`);
    let scope: ServiceRegistry | undefined = this;
    // Not tsyringe's own look-up, which would end in the global container.
    while (scope !== undefined && !scope.#container.isRegistered(token.key)) scope = scope.#parent;
    if (scope === undefined) throw this.#unknown(token.name);

    const from = this.#beingMade.findIndex((made) => made.scope === scope && made.name === token.name);
    if (from >= 0) {
      const path = [...this.#beingMade.slice(from).map((made) => made.name), token.name];
      throw coreErrors.error('GVU_SERVICE_CYCLE', `Services need each other in a circle: ${path.join(' -> ')}.`, {
        hint: 'Let one of them take what it needs later, as an argument, or split it in two.',
        details: { path },
      });
    }
    this.#beingMade.push({ scope, name: token.name });
    try {
      return scope.#container.resolve<T>(token.key);
    } finally {
      this.#beingMade.pop();
    }
  }

  /**
   * A scope inside this one, which is disposed of before the services that this one made earlier.
   * @throws GVU_SERVICE_DISPOSED
   */
  createChild(name: string): ServiceRegistry {
    this.#refuseWhenDisposed(`asked for a scope "${name}"`);
    const child = new ServiceRegistry(name, this);
    const cleanup: Cleanup = { name: `scope ${name}`, run: () => child[Symbol.asyncDispose]() };
    child.#cleanups.push({ name: 'the entry in the scope around', run: () => this.#forget(cleanup) });
    this.#cleanups.push(cleanup);
    return child;
  }

  /**
   * Disposes of the scopes within and of the services made, in reverse order of creation. Safe to repeat.
   * @throws GVU_SERVICE_DISPOSE_FAILED after everything was tried; `cause` is an AggregateError of what was thrown.
   */
  [Symbol.asyncDispose](): Promise<void> {
    // One turn later: disposers must already find this scope closed.
    this.#disposal ??= Promise.resolve().then(() => this.#dispose());
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    const failures = await runCleanups(this.#cleanups);
    await this.#container.dispose();
    if (failures.length === 0) return;
    const list = failures.map(({ name, cause }) => `\n  ${name}: ${describeThrown(cause)}`).join('');
    throw coreErrors.error(
      'GVU_SERVICE_DISPOSE_FAILED',
      `In scope "${this.name}" not all could be disposed of.${list}`,
      {
        cause: new AggregateError(failures.map(({ cause }) => cause)),
      },
    );
  }

  #register(token: Pick<ServiceToken<string>, 'name' | 'key'>): void {
    this.#refuseWhenDisposed(`given service "${token.name}"`);
    if (this.#container.isRegistered(token.key)) {
      throw coreErrors.error(
        'GVU_SERVICE_DUPLICATE',
        `Service "${token.name}" is already provided in scope "${this.name}".`,
        { hint: 'Provide it once, or in a child scope to replace it there.' },
      );
    }
    this.#serviceNames.add(token.name);
  }

  #refuseWhenDisposed(what: string): void {
    if (this.#disposal === undefined) return;
    throw coreErrors.error('GVU_SERVICE_DISPOSED', `Scope "${this.name}" was ${what} after it was disposed of.`);
  }

  #unknown(name: string): Error {
    const known: string[] = [];
    for (let scope: ServiceRegistry | undefined = this; scope; scope = scope.#parent)
      known.push(...scope.#serviceNames);
    const path = [...this.#beingMade.map((made) => made.name), name];
    const needed = path.length > 1 ? ` (needed by ${path.join(' -> ')})` : '';
    const near = didYouMeanHint(name, known).trim();
    return coreErrors.error('GVU_SERVICE_UNKNOWN', `Scope "${this.name}" has no service "${name}"${needed}.`, {
      hint: near || `Provided are: ${known.join(', ') || 'none'}.`,
    });
  }

  #forget(cleanup: Cleanup): void {
    const at = this.#cleanups.indexOf(cleanup);
    if (at >= 0) this.#cleanups.splice(at, 1);
  }
}

function disposerOf(service: NonNullable<unknown>): Cleanup['run'] | undefined {
  if (isAsyncDisposable(service)) return () => service[Symbol.asyncDispose]();
  if (isDisposable(service)) return () => service[Symbol.dispose]();
  return undefined;
}

function isAsyncDisposable(value: NonNullable<unknown>): value is AsyncDisposable {
  return typeof value === 'object' && Symbol.asyncDispose in value;
}

function isDisposable(value: NonNullable<unknown>): value is Disposable {
  return typeof value === 'object' && Symbol.dispose in value;
}
