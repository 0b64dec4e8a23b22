/** How many problems a message holds before it says how many more there are; `details.problems` holds all of them. */
const longest = 10;

/** Sentences in a row, for the message of an error. */
export function problemList(problems: readonly string[]): string {
  const shown = problems.slice(0, longest).join(' ');
  const rest = problems.length - longest;
  return rest > 0 ? `${shown} And ${rest} more.` : shown;
}
