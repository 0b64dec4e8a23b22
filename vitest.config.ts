import { defineConfig } from 'vitest/config';

export default defineConfig({
  ssr: { resolve: { conditions: ['@gvu/source', 'module', 'node', 'import', 'default'] } },
  test: {
    include: ['packages/*/{src,test}/**/*.test.ts', 'plugins/*/{src,test}/**/*.test.ts', 'tools/**/*.test.ts'],
    testTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    maxWorkers: 2,
  },
});
