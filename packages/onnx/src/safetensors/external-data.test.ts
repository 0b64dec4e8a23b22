/** The pure part; what ONNX Runtime makes of it is in `test/external-data.test.ts`. */
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { externalDataLayout } from './external-data.ts';

test.each([
  [['/a/b/x'], '/a/b', ['x']],
  [['/x'], '/', ['x']],
  [['/a/b/x', '/a/b/y'], '/a/b', ['x', 'y']],
  [['/a/b/x', '/a/y'], '/a', ['b/x', 'y']],
  [['/a/y', '/a/b/x'], '/a', ['y', 'b/x']],
  [['/a/b/x', '/c/y'], '/', ['a/b/x', 'c/y']],
  [['/a/b/x', '/a/bc/y'], '/a', ['b/x', 'bc/y']],
  [['/a/..b/x', '/a/y'], '/a', ['..b/x', 'y']],
  [['/a/back\\slash', '/a/..\\b/x'], '/a', ['back\\slash', '..\\b/x']],
  [['/hub/models--o--n/blobs/1', '/hub/models--o--n/blobs/2'], '/hub/models--o--n/blobs', ['1', '2']],
])('%j', (files, folder, locations) => {
  const layout = externalDataLayout(files);
  expect(layout.folder).toBe(folder);
  expect(files.map((file) => layout.locations.get(file))).toEqual(locations);
});

test('no file needs no folder', () => {
  expect(externalDataLayout([])).toEqual({ folder: '', locations: new Map() });
});

test('relative paths are refused, all at once', () => {
  expect(() => externalDataLayout(['/a/x', 'y', './z'])).toThrow(
    expect.objectContaining({ code: 'GVU_EXTERNAL_DATA', message: expect.stringMatching(/'y', '\.\/z'/) }),
  );
});

test('every location stays below the folder, leads to its file, and the folder is the nearest such', () => {
  const part = fc.constantFrom('a', 'b', 'c', '..d', 'e.f');
  const file = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`);
  fc.assert(
    fc.property(fc.array(file, { minLength: 1, maxLength: 6 }), (files) => {
      const { folder, locations } = externalDataLayout(files);
      for (const path of files) {
        const location = locations.get(path) ?? '';
        expect(join(folder, location)).toBe(path);
        expect(location.startsWith('/') || location.split('/').includes('..')).toBe(false);
      }
      const heads = new Set(files.map((path) => (dirname(path) === folder ? '' : locations.get(path)?.split('/')[0])));
      expect(heads.size > 1 || heads.has('')).toBe(true);
    }),
    { seed: 20261123, numRuns: 1000 },
  );
});
