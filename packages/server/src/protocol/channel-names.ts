/** The channels by name; the position is the id. */
export const channelNames = ['metrics', 'rollouts', 'images', 'evaluations', 'lifecycle', 'log', 'server'] as const;
export type ChannelName = (typeof channelNames)[number];
/** Those whose events come from the log of a run. */
export type RunChannelName = Exclude<ChannelName, 'server'>;
