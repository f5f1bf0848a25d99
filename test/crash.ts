import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { STORIES } from './harness/certification/all-stories.ts'
import type { CertifyTask } from './harness/certification/certify-thread.ts'
import type { Verdict } from './harness/certification/certify.ts'
import { KNOWN, knownFor } from './harness/certification/known.ts'
import { mishapsOf } from './harness/certification/mishaps.ts'
import { page } from './harness/certification/page.ts'

/** The operator dies at each of its calls, or gets no answer or a bad one: what comes of it is always the same. */
const PAGE = join(import.meta.dirname, '..', 'docs', 'results', 'crash-certification.md')
const USAGE = `usage: npm run test:crash -- [--story NAME] [--mishap 'PEER: NAME'] [--point N] [--write] [--help]

  --story   only this one; all when left out
  --mishap  only this one, such as 'API server: 409'; all when left out
  --point   only this call, counted from 0
  --write   writes docs/results/crash-certification.md; only for all of them

  example: npm run test:crash -- --story 'rescale up' --mishap 'coordinator: the answer is lost' --point 3

  Ends with 0 when every run ended as the one without a mishap, or differs as test/harness/certification/known.ts
  explains; 1 when not, 2 when it was asked for in another way.
`

const wish = readWish()
if (typeof wish === 'string') {
  process.stderr.write(wish)
  process.exitCode = wish === USAGE ? 0 : 2
} else {
  const verdicts = await certifyAll(wish.tasks)
  const differences = verdicts.flatMap((verdict) => verdict.differences.map((one) => knownFor(verdict, one)))
  const unexplained = differences.filter((known) => known === undefined).length
  const tried = verdicts.reduce((sum, verdict) => sum + verdict.tried, 0)
  process.stdout.write(`${tried} runs, ${differences.length} ended differently, ${unexplained} without explanation\n`)
  const unused = wish.isWhole ? KNOWN.filter((one) => !differences.flat().includes(one)) : []
  for (const { why } of unused) process.stdout.write(`known.ts explains what is not there any more: ${why}\n`)
  if (wish.isWritten) writeFileSync(PAGE, page(verdicts))
  process.exitCode = unexplained === 0 && unused.length === 0 && tried > 0 ? 0 : 1
}

/** A text when nothing is to be run. */
function readWish(): { tasks: CertifyTask[]; isWritten: boolean; isWhole: boolean } | string {
  const { values } = parseArgs({
    options: {
      story: { type: 'string' },
      mishap: { type: 'string' },
      point: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return USAGE
  const { story, mishap, write } = values
  const point = values.point === undefined ? undefined : Number(values.point)
  const isPartial = [story, mishap, point].some((one) => one !== undefined)
  const names = STORIES.map(({ name }) => name)
  const mishaps = mishapsOf(['API server', 'cached API server', 'coordinator', 'Druid', 'watch']).map(
    ({ peer, name }) => `${peer}: ${name}`,
  )
  if (story !== undefined && !names.includes(story)) return `${USAGE}\nstories: ${names.join(', ')}\n`
  if (mishap !== undefined && !mishaps.includes(mishap)) return `${USAGE}\nmishaps: ${mishaps.join(', ')}\n`
  if (point !== undefined && !(Number.isSafeInteger(point) && point >= 0)) return `${USAGE}\n--point is no number\n`
  if (write && isPartial) return `${USAGE}\n--write is for all stories and mishaps\n`
  const chosen = names.filter((name) => story === undefined || name === story)
  return { tasks: chosen.map((name) => ({ story: name, mishap, point })), isWritten: write, isWhole: !isPartial }
}

/** A thread for each story, as many at once as there are cores; in the order of the stories. */
async function certifyAll(tasks: readonly CertifyTask[]): Promise<Verdict[]> {
  const verdicts = new Map<CertifyTask, Verdict[]>()
  const left = [...tasks]
  const work = async (): Promise<void> => {
    for (let task = left.shift(); task !== undefined; task = left.shift()) {
      verdicts.set(task, await certifyOne(task))
      process.stdout.write(`${verdicts.size} of ${tasks.length} stories\n`)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return tasks.flatMap((task) => verdicts.get(task) ?? [])
}

function certifyOne(task: CertifyTask): Promise<Verdict[]> {
  return new Promise((resolve, reject) => {
    const verdicts: Verdict[] = []
    const thread = new Worker(join(import.meta.dirname, 'harness/certification/certify-thread.ts'), {
      workerData: task,
    })
    thread.on('message', (verdict: Verdict) => {
      verdicts.push(verdict)
      report(verdict)
    })
    thread.on('error', reject)
    thread.on('exit', () => {
      resolve(verdicts)
    })
  })
}

function report({ story, peer, mishap, tried, differences }: Verdict): void {
  process.stdout.write(`${story}, ${peer}: ${mishap}: ${tried} runs, ${differences.length} ended differently\n`)
  for (const { point, call, what } of differences)
    process.stdout.write(
      `  ${call}: ${what.join('; ')}\n  again: npm run test:crash -- --story '${story}' --mishap '${peer}: ${mishap}' --point ${point}\n`,
    )
}
