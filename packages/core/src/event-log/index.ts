/** The event log of a run: one writer, any number of readers in other processes. */
export { type BlobName, blobPath, readBlob, readBlobSync } from './blobs.ts';
export type { LogEvent } from './event.ts';
export { EventLog, type EventLogOptions } from './event-log.ts';
export { type EventTail, readEvents, type TailFrom, type TailOptions, tailEvents } from './tail.ts';
