import { Worker } from 'node:worker_threads'

/** What a worker of Kubernetes has at least. */
const HEAP_MB = 256
const LOOK_EVERY_MS = 50
/** A thread ends after so many mutations: WebAssembly never gives memory back. */
const THREAD_MUTATIONS = 50_000
const MAX_FAILURES = 5

/** What a thread gets. */
export interface FuzzTask {
  decoder: string
  seed: number
  /** Mutations first to end - 1. */
  first: number
  end: number
  /** Four bytes: the mutation that is being decoded. */
  progress: SharedArrayBuffer
}

export type ThreadReport = { kind: 'failure'; index: number; why: string } | { kind: 'done'; refused: number }

export interface FuzzRun {
  decoder: string
  seed: number
  first: number
  mutations: number
  /** One mutation that takes longer hangs. */
  patienceMs: number
}

export interface FuzzFailure {
  index: number
  why: string
}

export interface FuzzReport {
  /** Those that ended in a MillraceError. Of threads that crashed they are not known. */
  refused: number
  failures: readonly FuzzFailure[]
}

/** Runs the mutations in threads of HEAP_MB; goes on behind one that crashes or hangs, until there are MAX_FAILURES. */
export async function fuzz(run: FuzzRun): Promise<FuzzReport> {
  const failures: FuzzFailure[] = []
  const last = run.first + run.mutations
  let refused = 0
  for (let first = run.first; first < last && failures.length < MAX_FAILURES; ) {
    const end = Math.min(last, first + THREAD_MUTATIONS)
    const result = await runThread(run, first, end)
    failures.push(...result.failures)
    refused += result.refused
    first = result.next
  }
  return { refused, failures }
}

function runThread(
  { decoder, seed, patienceMs }: FuzzRun,
  first: number,
  end: number,
): Promise<FuzzReport & { next: number }> {
  const progress = new SharedArrayBuffer(4)
  const current = new Int32Array(progress).fill(-1)
  const failures: FuzzFailure[] = []
  let refused = 0
  return new Promise((resolve) => {
    const thread = new Worker(new URL('fuzz-thread.ts', import.meta.url), {
      workerData: { decoder, seed, first, end, progress } satisfies FuzzTask,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      execArgv: [],
    })
    let seen = -1
    let since = performance.now()
    const stop = (why: string): void => {
      const index = Atomics.load(current, 0)
      failures.push({ index, why })
      finish(Math.max(first, index) + 1)
    }
    const finish = (next: number): void => {
      clearInterval(watch)
      void thread.terminate().then(() => {
        resolve({ refused, failures, next })
      })
    }
    const watch = setInterval(() => {
      const index = Atomics.load(current, 0)
      if (index !== seen || index < 0) {
        seen = index
        since = performance.now()
      } else if (performance.now() - since > patienceMs) stop(`it takes longer than ${patienceMs} ms`)
    }, LOOK_EVERY_MS)
    thread.on('message', (report: ThreadReport) => {
      if (report.kind === 'failure') failures.push({ index: report.index, why: report.why })
      else {
        refused = report.refused
        finish(end)
      }
    })
    thread.on('error', (error) => {
      stop(`the thread ended: ${String(error)}`)
    })
  })
}
