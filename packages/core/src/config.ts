/**
 * Configuration: a JSON Schema (2020-12) gives the validator, the defaults and the TypeScript type of one value.
 *
 * `parse` never changes its input, reports every problem at once with JSON pointers, and fills in the defaults. The
 * schema stays plain data, so that it can be published to programs in other languages. Validation is by ajv; this file
 * adds the types, the safe copy and the errors. It does not read files and knows nothing of environment variables.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { FromSchema, JSONSchema } from 'json-schema-to-ts';
import { configProblems, problemLines } from './config-problems.ts';
import { coreErrors } from './core-errors.ts';
import type { GvuError } from './errors.ts';
import { copyJson, isRecord, type Problem } from './json-value.ts';

export interface Config<T> {
  /** The JSON Schema, as given. */
  readonly schema: JSONSchema;
  /**
   * The value with the defaults filled in; the input is left as it is, and shares nothing with the result.
   * `source` names where the value came from in messages, such as a file name.
   * @throws GVU_CONFIG_INVALID with `details.problems`, one entry `{ pointer, message }` for each problem;
   * GVU_CONFIG_SCHEMA when the schema turns out to refer to itself without an end.
   */
  parse(value: unknown, options: { source: string }): T;
}

/**
 * Makes a configuration of a schema that is written in the source: the type of `parse` is derived from it.
 * Close objects with `additionalProperties: false`, otherwise unknown keys pass unnoticed.
 * @throws GVU_CONFIG_SCHEMA
 */
export function defineConfig<const S extends JSONSchema>(schema: S): Config<FromSchema<S>> {
  const { parse } = compileConfig(schema, { source: 'The schema' });
  // `parse` returns what fits the schema, which is what FromSchema computes; no type can express that proof.
  return { schema, parse: (value, options) => parse(value, options) as FromSchema<S> };
}

/**
 * Makes a configuration of a schema that is only known at run time, such as one from a plugin's manifest.
 * `source` names the schema in messages.
 * @throws GVU_CONFIG_SCHEMA with `details.problems` when the schema is not one.
 */
export function compileConfig(schema: unknown, options: { source: string }): Config<unknown> {
  const copyProblems: Problem[] = [];
  const copiedSchema = copyJson(schema, copyProblems);
  if (copyProblems.length > 0) throw invalidSchema(options.source, copyProblems);
  const { validate, hidden } = compile(copiedSchema, options.source);

  return {
    // `compile` has refused everything that is not a JSON Schema.
    schema: schema as JSONSchema,
    parse(value, { source }) {
      const problems: Problem[] = [];
      const copied = copyJson(value, problems);
      hidden.clear();
      const valid = copied === undefined || evaluate(validate, copied, options.source);
      if (copied === undefined && problems.length === 0) problems.push({ pointer: '', message: 'is missing.' });
      if (!valid) {
        const reported = new Set(problems.map((problem) => problem.pointer));
        const found = configProblems(validate.errors ?? [], hidden);
        problems.push(...found.filter((problem) => !reported.has(problem.pointer)));
      }
      if (problems.length > 0) throw invalidConfig(source, problems);
      return copied;
    },
  };
}

/** Checks schemas against the meta-schema of the dialect; shared, because compiling that costs some 50 ms. */
let metaValidator: Ajv2020 | undefined;

interface Compiled {
  readonly validate: ValidateFunction;
  /** Pointers of the values that the last validation found to be `writeOnly`, whichever branch or reference said so. */
  readonly hidden: Set<string>;
}

function compile(schema: unknown, source: string): Compiled {
  if (typeof schema !== 'boolean' && !isRecord(schema)) {
    throw invalidSchema(source, [{ pointer: '', message: 'must be an object or a boolean.' }]);
  }
  metaValidator ??= new Ajv2020({ allErrors: true, verbose: true });
  try {
    if (metaValidator.validateSchema(schema) !== true) {
      throw invalidSchema(source, configProblems(metaValidator.errors ?? []));
    }
    // One instance for each schema: two schemas may use the same $id without disturbing each other.
    const ajv = new Ajv2020({
      allErrors: true,
      verbose: true, // errors carry the schema and the value, of which the messages are made
      useDefaults: true,
      ownProperties: true, // `required: ['toString']` must not be satisfied by Object.prototype
      strictSchema: true, // an unknown keyword, or a default that would have no effect, is an error
      strictTypes: false,
      strictTuples: false,
      strictRequired: false,
      meta: false,
      validateSchema: false, // done above
    });
    const hidden = new Set<string>();
    ajv.removeKeyword('writeOnly');
    ajv.addKeyword({
      keyword: 'writeOnly',
      schemaType: 'boolean',
      errors: false,
      validate: (isHidden: boolean, _value: unknown, _parent: unknown, at?: { instancePath: string }) => {
        if (isHidden && at) hidden.add(at.instancePath);
        return true;
      },
    });
    const validate = ajv.compile(schema);
    if ('$async' in validate) throw new Error('the keyword "$async" is not supported');
    return { validate, hidden };
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'GvuError') throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalidSchema(source, [{ pointer: '', message: `cannot be compiled: ${reason}.` }], cause);
  }
}

/** A schema that refers to itself without going deeper into the value compiles, but never comes to an end. */
function evaluate(validate: ValidateFunction, value: unknown, source: string): boolean {
  try {
    return validate(value);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw invalidSchema(source, [{ pointer: '', message: 'refers to itself without an end.' }], cause);
  }
}

function invalidSchema(source: string, problems: readonly Problem[], cause?: unknown): GvuError {
  return coreErrors.error('GVU_CONFIG_SCHEMA', `${source} is not a valid JSON Schema.${problemLines(problems)}`, {
    details: { source, problems },
    cause,
  });
}

function invalidConfig(source: string, problems: readonly Problem[]): GvuError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return coreErrors.error('GVU_CONFIG_INVALID', `${source} has ${count}.${problemLines(problems)}`, {
    details: { source, problems },
  });
}
