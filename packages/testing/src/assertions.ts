/** The comparisons that the kits make, on Node's own assertions: every runner knows their failures. */
import assert from 'node:assert/strict';
import { isGvuError } from '@gvu/core';

/** Lists of numbers that are equal up to a tolerance. */
export function assertClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  { tolerance, what }: { tolerance: number; what: string },
): void {
  assert.equal(found.length, expected.length, `${what}: ${found.length} numbers, not ${expected.length}`);
  const [at, worst] = furthest(found, expected);
  assert.ok(
    worst <= tolerance,
    `${what}: number ${at} is ${found[at]} here and ${expected[at]} there; they may be ${tolerance} apart`,
  );
}

/** Where two lists differ most, and by how much; NaN and infinities are only like themselves. */
export function furthest(a: ArrayLike<number>, b: ArrayLike<number>): readonly [at: number, difference: number] {
  let [at, worst] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x = Number.NaN, y = Number.NaN] = [a[i], b[i]];
    const difference = Object.is(x, y) || x === y ? 0 : Math.abs(x - y);
    if (difference > worst || Number.isNaN(difference))
      [at, worst] = [i, Number.isNaN(difference) ? Infinity : difference];
  }
  return [at, worst];
}

/** Log-probabilities: finite and not above 0, but for the rounding of a softmax. */
export function assertLogProbs(values: ArrayLike<number>, what: string): void {
  const wrong = Array.from(values).findIndex((value) => !(Number.isFinite(value) && value <= 1e-5));
  assert.ok(wrong < 0, `${what}: number ${wrong} is ${values[wrong]}, which is no log-probability`);
}

/** The work rejects with this code of GvU. */
export async function assertCoded(work: () => Promise<unknown>, code: string | RegExp, what: string): Promise<void> {
  const error = await thrownBy(work);
  assert.ok(error !== nothing, `${what} is taken; it must be refused with ${code}`);
  const matches = isGvuError(error) && (typeof code === 'string' ? error.code === code : code.test(error.code));
  assert.ok(matches, `${what} must be refused with ${code}, not with ${String(error)}`);
}

/** The work of an aborted signal rejects with the signal's reason, or with an error whose cause that is. */
export async function assertAborts(work: (signal: AbortSignal) => Promise<unknown>, what: string): Promise<void> {
  const reason = new Error('aborted by the conformance kit');
  const error = await thrownBy(() => work(AbortSignal.abort(reason)));
  assert.ok(error !== nothing, `${what} goes on although its signal is aborted`);
  assert.ok(isBecauseOf(error, reason), `${what} was aborted, and rejects with ${String(error)}`);
}

/** The work settles within a budget after its signal was aborted, whichever way. */
export async function assertSettles(
  work: (signal: AbortSignal) => Promise<unknown>,
  { what, budgetMs }: { what: string; budgetMs: number },
): Promise<void> {
  const controller = new AbortController();
  const reason = new Error('aborted by the conformance kit');
  const pending = thrownBy(() => work(controller.signal));
  setImmediate(() => controller.abort(reason));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `${what} goes on ${budgetMs} ms after its abort` })),
      budgetMs,
    );
  });
  try {
    const error = await Promise.race([pending, late]);
    assert.ok(
      error === nothing || isBecauseOf(error, reason),
      `${what} was aborted, and rejects with ${String(error)}`,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Whether an error is the reason, or has it among its causes. */
function isBecauseOf(error: unknown, reason: Error): boolean {
  return error === reason || (error instanceof Error && error.cause !== undefined && isBecauseOf(error.cause, reason));
}

/** What stands for no error: `undefined` can be thrown. */
const nothing = Symbol('nothing');

async function thrownBy(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
    return nothing;
  } catch (error) {
    return error;
  }
}
