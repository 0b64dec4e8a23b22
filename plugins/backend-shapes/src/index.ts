export { shapesErrors } from './errors.ts';
export * from './model/index.ts';
export * from './pretrain/index.ts';
export * from './world/index.ts';
