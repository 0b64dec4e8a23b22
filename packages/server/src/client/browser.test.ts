/** The client must load in browsers: nothing that it imports, near or far, may be of Node. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** What a module and those below it import at run time, from other packages. */
function foreignImports(module: URL, seen = new Set<string>()): readonly string[] {
  if (seen.has(module.href)) return [];
  seen.add(module.href);
  const source = readFileSync(module, 'utf8');
  return [...source.matchAll(/^(?:import|export)(?! type)[^;]*? from '([^']+)';$/gms)].flatMap(([, from = '']) =>
    from.startsWith('.') ? foreignImports(new URL(from, module), seen) : [from],
  );
}

test('all that is imported from elsewhere is the error class, which imports nothing', () => {
  expect(new Set(foreignImports(new URL('index.ts', import.meta.url)))).toEqual(new Set(['@gvu/core/errors']));
  expect(foreignImports(new URL('../../../core/src/errors.ts', import.meta.url))).toEqual([]);
  expect(foreignImports(new URL('../index.ts', import.meta.url))).toContain('ws'); // it does look deep
});
