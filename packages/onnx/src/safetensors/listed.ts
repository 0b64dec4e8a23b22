const MAX_ITEMS = 10;
const MAX_CHARACTERS = 300;

/** Items as one phrase of an error message, cut where they are many or long. The error's `details` have them whole. */
export function listed(items: readonly string[]): string {
  const shown = items
    .slice(0, MAX_ITEMS)
    .map((item) => (item.length > MAX_CHARACTERS ? `${item.slice(0, MAX_CHARACTERS)}...` : item));
  if (items.length > MAX_ITEMS) shown.push(`and ${items.length - MAX_ITEMS} more`);
  return shown.join('; ');
}
