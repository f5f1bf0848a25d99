import { parentPort, workerData } from 'node:worker_threads'
import { MillraceError } from '../../../runtime/model/errors.ts'
import { fuzzedDecoders } from './decoders.ts'
import { FuzzRandom } from './fuzz-random.ts'
import type { FuzzTask, ThreadReport } from './fuzz-run.ts'
import { mutated } from './mutations.ts'

/** Runs the mutations of one task; `progress` holds the one that is being decoded, for the thread that watches. */
const { decoder: name, seed, first, end, progress } = workerData as FuzzTask
const current = new Int32Array(progress)
const decoder = (await fuzzedDecoders()).find((candidate) => candidate.name === name)
if (decoder === undefined) throw new Error(`there is no decoder ${name}`)
let refused = 0
for (let index = first; index < end; index++) {
  Atomics.store(current, 0, index)
  const bytes = mutated(new FuzzRandom(seed, index), decoder.samples)
  decoder.seal?.(bytes)
  try {
    await decoder.decode(bytes)
  } catch (error) {
    if (error instanceof MillraceError) refused++
    else
      report({ kind: 'failure', index, why: `${String(error)}\n${error instanceof Error ? (error.stack ?? '') : ''}` })
  }
}
report({ kind: 'done', refused })

function report(what: ThreadReport): void {
  parentPort?.postMessage(what)
}
