export { createShapesBackend, type ShapesBackendOptions } from './backend/backend.ts';
export type { ModelChoice } from './backend/model-folder.ts';
export { shapesErrors } from './errors.ts';
export * from './model/index.ts';
export * from './pretrain/index.ts';
export * from './world/index.ts';
