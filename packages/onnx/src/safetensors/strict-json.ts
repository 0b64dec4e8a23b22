/**
 * What `JSON.parse` lets pass and a file format must not: keys that an object repeats (the last silently wins), and
 * numbers written as anything but plain digits (`8.0`, `1e3`, `-0`). Walks over text that `JSON.parse` has accepted.
 */

export interface JsonLaxities {
  /** Each repeated key once, in order of appearance. */
  readonly repeatedKeys: readonly string[];
  /** Whether a number has a sign, a fraction or an exponent. */
  readonly oddNumbers: boolean;
}

export function findLaxities(json: string): JsonLaxities {
  const repeatedKeys = new Set<string>();
  let oddNumbers = false;
  /** The keys seen in each open object; undefined for an open array. */
  const open: (Set<string> | undefined)[] = [];
  let keyNext = false;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '"') {
      const end = closingQuote(json, i);
      const keys = open.at(-1);
      if (keyNext && keys) {
        const key: string = JSON.parse(json.slice(i, end + 1));
        if (keys.has(key)) repeatedKeys.add(key);
        keys.add(key);
      }
      keyNext = false;
      i = end;
    } else if (char === '{') {
      open.push(new Set());
      keyNext = true;
    } else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === ',') keyNext = open.at(-1) !== undefined;
    else if (char === '-' || char === '.' || ((char === 'e' || char === 'E') && isDigit(json[i - 1])))
      oddNumbers = true;
  }
  return { repeatedKeys: [...repeatedKeys], oddNumbers };
}

/** The quote that ends the string which begins at `start`: the next one that an odd run of backslashes does not escape. */
function closingQuote(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return json.length;
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9';
}
