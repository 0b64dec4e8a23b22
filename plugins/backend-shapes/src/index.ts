export { shapesErrors } from './errors.ts';
export * from './world/index.ts';
