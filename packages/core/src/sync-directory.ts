/** The last step of every durable write: a file that was flushed is lost all the same while its name is not on the disk. */
import { open } from 'node:fs/promises';

/** Makes new and renamed entries of a directory survive a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return; // directories cannot be opened there, and NTFS journals their entries
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
