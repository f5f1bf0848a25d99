import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { endWithStarter } from './cli/end-with-starter.ts'

const RINGS = ['unit', 'simulation', 'embedded', 'services', 'cluster']
const CORES = availableParallelism()

/** How the files of a ring share the machine. */
interface Sharing {
  /** How many files run at once. Vitest alone would leave one core free. */
  readonly files: number
  /** Whether every file loads the source again. Not needed when no file changes what others load. */
  readonly isolate: boolean
}

/** One project per ring (see CONTRIBUTING): a file run by its path gets the time its ring allows. */
function ring(name: string, testSeconds: number, hookSeconds: number, sharing: Sharing) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: testSeconds * 1000,
      hookTimeout: hookSeconds * 1000,
      teardownTimeout: 60_000,
      maxWorkers: sharing.files,
      isolate: sharing.isolate,
      // tests that start a process each, all at once
      maxConcurrency: CORES,
      // processes that tests freeze are given up sooner than by default
      env: { MILLRACE_HEARTBEAT_TIMEOUT_MS: '10000' },
      sequence: { groupOrder: RINGS.indexOf(name) },
      pool: 'forks' as const,
    },
  }
}

// also keeps what starts this process from the programs that tests start
endWithStarter()

export default defineConfig({
  test: {
    projects: [
      ring('unit', 120, 60, { files: CORES, isolate: false }),
      ring('simulation', 400, 60, { files: CORES, isolate: false }),
      ring('embedded', 300, 120, { files: CORES, isolate: true }),
      // hooks of the last two may fetch and build what the ring needs; servers are waited for most of the time
      ring('services', 300, 1200, { files: 2, isolate: true }),
      ring('cluster', 900, 3000, { files: 1, isolate: true }),
    ],
  },
})
