import 'reflect-metadata'; // before the direct import of tsyringe below
import { container as globalContainer } from 'tsyringe';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { isGvuError } from './errors.ts';
import { ServiceRegistry, type ServiceToken, serviceToken } from './services.ts';

interface Named {
  readonly name: string;
}
const A = serviceToken<Named>('test/a');
const B = serviceToken<Named>('test/b');
const C = serviceToken<Named>('test/c');

/** A service that writes its name into `log` when it is disposed of. */
function disposable(name: string, log: string[]): Named & AsyncDisposable {
  return {
    name,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => setTimeout(resolve, 1));
      log.push(name);
    },
  };
}

async function caught(work: () => unknown): Promise<Error & { code?: string }> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}

describe('tokens', () => {
  test('of one name are the same token, so that two copies of the package agree', async () => {
    await using services = new ServiceRegistry('root');
    services.provideValue(A, { name: 'a' });
    expect(services.get({ name: 'test/a', key: Symbol.for('gvu.service:test/a') })).toEqual({ name: 'a' });
  });

  test('are invariant: neither widening nor narrowing compiles', () => {
    expectTypeOf<ServiceToken<{ a: 1; b: 2 }>>().not.toExtend<ServiceToken<{ a: 1 }>>();
    expectTypeOf<ServiceToken<{ a: 1 }>>().not.toExtend<ServiceToken<{ a: 1; b: 2 }>>();
  });
});

describe('factories', () => {
  test('run when first asked for, once, and not again when they made something falsy', async () => {
    await using services = new ServiceRegistry('root');
    const zero = serviceToken<number>('test/zero');
    let calls = 0;
    services.provide(zero, () => calls++);
    expect(calls).toBe(0);
    expect([services.get(zero), services.get(zero)]).toEqual([0, 0]);
    expect(calls).toBe(1);
  });

  test('that throw pass their error on and may be tried again', async () => {
    await using services = new ServiceRegistry('root');
    let calls = 0;
    services.provide(A, () => {
      calls += 1;
      if (calls === 1) throw new TypeError('not yet');
      return { name: 'a' };
    });
    services.provide(B, ({ get }) => get(A));
    expect(await caught(() => services.get(B))).toMatchObject({ name: 'TypeError', message: 'not yet' });
    expect(services.get(B).name).toBe('a');
    expect(calls).toBe(2);
  });

  test('get what they need from their own scope, also when a narrower scope asked', async () => {
    await using services = new ServiceRegistry('root');
    services.provideValue(A, { name: 'outer a' });
    services.provide(B, (scope) => ({ name: `b over ${scope.get(A).name}` }));
    const child = services.createChild('child');
    child.provideValue(A, { name: 'inner a' });
    child.provide(C, (scope) => ({ name: `c over ${scope.get(A).name}` }));
    expect(child.get(B).name).toBe('b over outer a');
    expect(child.get(C).name).toBe('c over inner a');
    expect(services.get(B)).toBe(child.get(B));
  });
});

describe('what cannot be resolved', () => {
  test('a cycle is printed as a path', async () => {
    await using services = new ServiceRegistry('root');
    services.provide(A, (scope) => scope.get(B));
    services.provide(B, (scope) => scope.get(C));
    services.provide(C, (scope) => scope.get(B));
    const error = await caught(() => services.get(A));
    expect(error.code).toBe('GVU_SERVICE_CYCLE');
    expect(error.message).toContain('test/b -> test/c -> test/b.');
  });

  test('a cycle through two scopes is found, and replacing a service of the scope around is none', async () => {
    await using services = new ServiceRegistry('root');
    const child = services.createChild('child');
    services.provide(A, () => child.get(B));
    child.provide(B, (scope) => scope.get(A));
    expect((await caught(() => child.get(B))).message).toContain('test/b -> test/a -> test/b');

    services.provideValue(C, { name: 'c' });
    child.provide(C, () => ({ name: `${services.get(C).name}, wrapped` }));
    expect(child.get(C).name).toBe('c, wrapped');
  });

  test('after a failed resolution the path starts anew', async () => {
    await using services = new ServiceRegistry('root');
    services.provide(A, (scope) => scope.get(A));
    expect((await caught(() => services.get(A))).message).toContain('test/a -> test/a');
    expect((await caught(() => services.get(A))).message).toContain('circle: test/a -> test/a.');
  });

  test('an unknown service names who needed it and the nearest name', async () => {
    await using services = new ServiceRegistry('root');
    services.provideValue(serviceToken<Named>('test/clock'), { name: 'clock' });
    services.provide(A, (scope) => scope.get(serviceToken<Named>('test/clocks')));
    const error = await caught(() => services.get(A));
    expect(error.code).toBe('GVU_SERVICE_UNKNOWN');
    expect(error.message).toContain('Scope "root" has no service "test/clocks" (needed by test/a -> test/clocks)');
    expect(error.message).toContain('Did you mean "test/clock"?');
  });

  test('the global container of tsyringe is not asked', async () => {
    globalContainer.register(C.key, { useValue: { name: 'intruder' } });
    await using services = new ServiceRegistry('root');
    expect((await caught(() => services.get(C))).code).toBe('GVU_SERVICE_UNKNOWN');
    services.provideValue(A, { name: 'a' });
    expect(globalContainer.isRegistered(A.key)).toBe(false);
  });

  test('a service is provided once per scope', async () => {
    await using services = new ServiceRegistry('root');
    services.provideValue(A, { name: 'a' });
    expect((await caught(() => services.provide(A, () => ({ name: 'b' })))).code).toBe('GVU_SERVICE_DUPLICATE');
    expect(services.get(A).name).toBe('a');
  });
});

describe('disposal', () => {
  test('runs in reverse order of creation, children first, and only for what was made', async () => {
    const log: string[] = [];
    const services = new ServiceRegistry('root');
    services.provide(A, (scope) => {
      scope.get(B);
      return disposable('a', log);
    });
    services.provide(B, () => disposable('b', log));
    services.provide(C, () => disposable('never made', log));
    services.get(A);
    const child = services.createChild('child');
    child.provide(C, () => disposable('c of the child', log));
    child.get(C);
    await services[Symbol.asyncDispose]();
    expect(log).toEqual(['c of the child', 'a', 'b']);
  });

  test('takes synchronous disposers, and leaves values to their owner', async () => {
    const log: string[] = [];
    const services = new ServiceRegistry('root');
    services.provide(A, () => ({ name: 'a', [Symbol.dispose]: () => void log.push('a') }));
    services.provideValue(B, disposable('b', log));
    services.get(A);
    services.get(B);
    await services[Symbol.asyncDispose]();
    expect(log).toEqual(['a']);
  });

  test('goes on after a disposer threw, and reports all of them', async () => {
    const log: string[] = [];
    const services = new ServiceRegistry('root');
    const failing = (message: string): Named & Disposable => ({
      name: message,
      [Symbol.dispose]() {
        throw new Error(message);
      },
    });
    services.provide(A, () => disposable('a', log));
    services.provide(B, () => failing('b is stuck'));
    services.provide(C, () => failing('c is stuck'));
    for (const token of [A, B, C]) services.get(token);
    const error = await caught(() => services[Symbol.asyncDispose]());
    expect(log).toEqual(['a']);
    expect(isGvuError(error, 'GVU_SERVICE_DISPOSE_FAILED')).toBe(true);
    expect(error.message).toMatch(/c is stuck[\s\S]*b is stuck/);
    expect(error.cause).toMatchObject({ errors: [{ message: 'c is stuck' }, { message: 'b is stuck' }] });
  });

  test('happens once, and closes the scope at once', async () => {
    const log: string[] = [];
    const services = new ServiceRegistry('root');
    services.provide(A, () => disposable('a', log));
    services.get(A);
    const first = services[Symbol.asyncDispose]();
    expect((await caught(() => services.get(A))).code).toBe('GVU_SERVICE_DISPOSED');
    expect((await caught(() => services.provideValue(B, { name: 'b' }))).code).toBe('GVU_SERVICE_DISPOSED');
    expect((await caught(() => services.createChild('late'))).code).toBe('GVU_SERVICE_DISPOSED');
    await Promise.all([first, services[Symbol.asyncDispose]()]);
    expect(log).toEqual(['a']);
  });

  test('of a child alone leaves nothing of it in the scope around', async () => {
    const log: string[] = [];
    const services = new ServiceRegistry('root');
    const child = services.createChild('child');
    child.provide(A, () => disposable('a', log));
    child.get(A);
    await child[Symbol.asyncDispose]();
    services.provideValue(B, { name: 'b' });
    expect(services.get(B).name).toBe('b');
    await services[Symbol.asyncDispose]();
    expect(log).toEqual(['a']);
  });
});
