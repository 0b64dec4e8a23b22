export { createErrors } from './errors.ts';
export { type NewPlugin, type NewPluginKind, type PluginPlace, pluginFiles, pluginKinds } from './plugin-files.ts';
export { writePlugin } from './write-plugin.ts';
