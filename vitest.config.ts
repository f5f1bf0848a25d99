import { defineConfig } from 'vitest/config'

const RINGS = ['unit', 'simulation', 'embedded', 'services', 'cluster']

/** One project per ring (see CONTRIBUTING): a file run by its path gets the time its ring allows. */
function ring(name: string, testSeconds: number, hookSeconds: number, parallel: { readonly files: boolean }) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: testSeconds * 1000,
      hookTimeout: hookSeconds * 1000,
      teardownTimeout: 60_000,
      fileParallelism: parallel.files,
      sequence: { groupOrder: RINGS.indexOf(name) },
      pool: 'forks' as const,
    },
  }
}

export default defineConfig({
  test: {
    projects: [
      ring('unit', 30, 30, { files: true }),
      ring('simulation', 180, 30, { files: true }),
      ring('embedded', 180, 60, { files: false }),
      // hooks of the last two may fetch and build what the ring needs
      ring('services', 300, 1200, { files: false }),
      ring('cluster', 900, 3000, { files: false }),
    ],
  },
})
