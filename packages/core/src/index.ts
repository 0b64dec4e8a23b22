export { defineErrors, type ErrorCode, type ErrorOptions, type ErrorTable, GvuError, isGvuError } from './errors.ts';
