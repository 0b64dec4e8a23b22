/**
 * Turns the errors of ajv into sentences: where, what is allowed, what is there instead.
 *
 * Needs ajv's `verbose` errors. Sentences are made of the schema and the value alone, so `config.ts` can use them for
 * schemas checked against the meta-schema too. A missing value is called missing: nothing is printed in its place.
 */
import type { ErrorObject } from 'ajv/dist/2020.js';
import { didYouMeanHint } from './did-you-mean.ts';
import { childPointer, isRecord, type Problem } from './json-value.ts';

/** How many problems a message holds; the details of the error have them all. */
const maxListed = 30;

/** A line for each problem, cut where they are many. */
export function problemLines(problems: readonly Problem[]): string {
  const lines = problems
    .slice(0, maxListed)
    .map(({ pointer, message }) => `\n  ${pointer || '(the whole)'} ${message}`);
  const rest = problems.length - maxListed;
  return lines.join('') + (rest > 0 ? `\n  and ${rest} more.` : '');
}

/** An error of ajv with its sentence. */
interface Found {
  readonly error: ErrorObject;
  readonly problem: Problem;
}

/** Stands in an error for a value that must not be shown. */
const secret = Symbol('secret');

/**
 * One problem for each independent error; the branches of a failed `anyOf` are folded into one. Values at the pointers
 * `hidden`, and below, are not shown.
 */
export function configProblems(errors: readonly ErrorObject[], hidden: ReadonlySet<string> = new Set()): Problem[] {
  const isHidden = (pointer: string): boolean =>
    [...hidden].some((secretAt) => pointer === secretAt || pointer.startsWith(`${secretAt}/`));
  const found: Found[] = [];
  for (const original of errors) {
    const error = isHidden(original.instancePath) ? { ...original, data: secret } : original;
    if (error.keyword === 'if' || error.keyword === 'propertyNames') continue; // their branches say what is wrong
    if (error.keyword === 'anyOf' || error.keyword === 'oneOf') {
      // ajv reports the branches first, then the union.
      const branches: Found[] = [];
      for (let last = found.at(-1); last && isBranch(last.error, error); last = found.at(-1)) {
        branches.unshift(last);
        found.pop();
      }
      found.push({ error, problem: unionProblem(error, branches) });
    } else {
      found.push({ error, problem: problemOf(error) });
    }
  }
  // Several broken limits of one value make the same sentence.
  const bySentence = new Map(found.map(({ problem }) => [`${problem.pointer} ${problem.message}`, problem]));
  return [...bySentence.values()];
}

/** True when `error` comes from within a branch of `union`: below its keyword, or from a definition it refers to. */
function isBranch(error: ErrorObject, union: ErrorObject): boolean {
  const parentPath = union.schemaPath.slice(0, union.schemaPath.lastIndexOf('/'));
  const within = error.instancePath === union.instancePath || error.instancePath.startsWith(`${union.instancePath}/`);
  return (
    within && (error.schemaPath.startsWith(`${union.schemaPath}/`) || !error.schemaPath.startsWith(`${parentPath}/`))
  );
}

function unionProblem(error: ErrorObject, branches: readonly Found[]): Problem {
  const pointer = error.instancePath;
  const here = branches.filter((branch) => branch.error.instancePath === pointer);
  const alternatives = (Array.isArray(error.schema) ? error.schema : []).map((alternative: unknown) => {
    const ref = isRecord(alternative) ? alternative.$ref : undefined;
    const referred = here.find((branch) => ref !== undefined && branch.error.schemaPath.startsWith(`${ref}/`));
    return referred?.error.parentSchema ?? alternative;
  });
  const allowed = describeSchema({ anyOf: alternatives });
  if (Array.isArray(error.params.passingSchemas)) {
    return { pointer, message: `fits more than one of its alternatives: ${allowed}.` };
  }
  const value = showValue(error.data);
  const hint = valueHint(
    error.data,
    alternatives.flatMap((alternative) => (isRecord(alternative) ? alternative.enum : [])),
  );
  const deeper = branches.filter((branch) => branch.problem.pointer !== pointer);
  const reasons = deeper.map(({ problem }) => ` ${problem.pointer} ${problem.message}`).join('');
  return { pointer, message: `must be ${allowed}, but is ${value}.${hint}${reasons}` };
}

function problemOf(error: ErrorObject): Problem {
  const { instancePath: pointer, params, keyword } = error;
  const properties = isRecord(error.parentSchema?.properties) ? error.parentSchema.properties : {};
  switch (keyword) {
    case 'required':
    case 'dependentRequired': {
      const key = String(params.missingProperty);
      const allowed = key in properties ? `; it must be ${describeSchema(properties[key])}` : '';
      const because = keyword === 'required' ? '' : ` beside ${JSON.stringify(params.property)}`;
      return { pointer: childPointer(pointer, key), message: `is missing${because}${allowed}.` };
    }
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const key = String(params.additionalProperty ?? params.unevaluatedProperty);
      const known = Object.keys(properties);
      const hint = didYouMeanHint(key, known) || knownKeys(known);
      return { pointer: childPointer(pointer, key), message: `is not a known key.${hint}` };
    }
    case 'enum':
      return { pointer, message: `${mustBe(error)}${valueHint(error.data, error.schema)}` };
    case 'not':
    case 'false schema':
      return { pointer, message: `is not allowed here, but is ${showValue(error.data)}.` };
    case 'contains':
      return { pointer, message: `must contain ${describeSchema(error.schema)}.` };
  }
  if (error.propertyName !== undefined) {
    const allowed = describeSchema(error.parentSchema);
    return {
      pointer: childPointer(pointer, error.propertyName),
      message: `is not a possible key: a key must be ${allowed}.`,
    };
  }
  return { pointer, message: mustBe(error) };
}

function mustBe(error: ErrorObject): string {
  const allowed = describeSchema(error.parentSchema);
  const value = showValue(error.data);
  return `must be ${allowed}, but is ${value}.`;
}

function valueHint(value: unknown, allowed: unknown): string {
  if (typeof value !== 'string' || !Array.isArray(allowed)) return '';
  return didYouMeanHint(
    value,
    allowed.filter((item) => typeof item === 'string'),
  );
}

function knownKeys(keys: readonly string[]): string {
  if (keys.length === 0) return ' No key is allowed here.';
  return keys.length <= 12 ? ` Known are ${keys.map((key) => JSON.stringify(key)).join(', ')}.` : '';
}

const nouns: Readonly<Record<string, string>> = {
  integer: 'an integer',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  null: 'null',
  array: 'an array',
  object: 'an object',
};

const limits: Readonly<Record<string, (value: unknown) => string>> = {
  minimum: (value) => `at least ${value}`,
  exclusiveMinimum: (value) => `above ${value}`,
  maximum: (value) => `at most ${value}`,
  exclusiveMaximum: (value) => `below ${value}`,
  multipleOf: (value) => `a multiple of ${value}`,
  minLength: (value) => `at least ${count(value, 'character')}`,
  maxLength: (value) => `at most ${count(value, 'character')}`,
  pattern: (value) => `matching /${value}/`,
  format: (value) => `in the format ${value}`,
  minItems: (value) => `at least ${count(value, 'item')}`,
  maxItems: (value) => `at most ${count(value, 'item')}`,
  uniqueItems: () => 'no item twice',
  minProperties: (value) => `at least ${count(value, 'key')}`,
  maxProperties: (value) => `at most ${count(value, 'key')}`,
};

function count(value: unknown, noun: string): string {
  return `${value} ${noun}${value === 1 ? '' : 's'}`;
}

/** What a schema allows, as a noun phrase: `an integer (at least 1)`, `one of "a", "b"`. */
function describeSchema(schema: unknown): string {
  if (!isRecord(schema)) return 'a value';
  if ('const' in schema) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return `one of ${schema.enum.map((item) => JSON.stringify(item)).join(', ')}`;
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(alternatives) && schema.type === undefined)
    return [...new Set(alternatives.map(describeSchema))].join(' or ');
  if (typeof schema.$ref === 'string') return JSON.stringify(schema.$ref.split('/').at(-1));

  const types = [schema.type].flat().filter((type) => type !== undefined);
  const noun = types.map((type) => nouns[String(type)] ?? 'a value').join(' or ') || 'a value';
  const stated = Object.entries(limits).flatMap(([keyword, say]) => (keyword in schema ? [say(schema[keyword])] : []));
  return stated.length === 0 ? noun : `${noun} (${stated.join(', ')})`;
}

const maxShownLength = 80;

/** The value in a message: short, and hidden where a schema says `writeOnly` (a token, a password). */
function showValue(value: unknown): string {
  if (value === secret) return 'another value (hidden)';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  // Only the keys: a value further down may be a hidden one.
  const text = isRecord(value)
    ? `an object with the keys ${JSON.stringify(Object.keys(value))}`
    : JSON.stringify(value);
  return text.length <= maxShownLength ? text : `${text.slice(0, maxShownLength)}… (${text.length} characters)`;
}
