import { parseArgs } from 'node:util'
import { endWithStarter } from '../cli/end-with-starter.ts'
import { enterBed, faultBed, isInBed } from './harness/faults/fault-bed.ts'
import { FAULT_JOBS, type FaultJob } from './harness/faults/fault-jobs.ts'
import { fetchKafka, kafkaBedMissing } from './harness/beds/kafka-bed.ts'
import { endFaultRuns, runWithFaults } from './harness/faults/fault-run.ts'
import { startStorePlace, STORE_SERVERS, type StoreServer } from './harness/faults/store-place.ts'

/**
 * Real processes under faults drawn from seeds: killed, frozen beyond every timeout and replaced, rescaled, their
 * packets lost, their disk full or slow, their broker killed. Network and disk are disturbed as root on Linux, in
 * namespaces of their own. The seed draws what happens and at which progress; when the system gets there is its
 * own, so a replay comes close, not to the step.
 */
const USAGE = `usage: node cli/node.js test/faults.ts [--job ${FAULT_JOBS.map(({ name }) => name).join('|')}] [--store ${STORE_SERVERS.map(({ name }) => name).join('|')}] [--seeds N] [--first N] [--log]

  --job    only this one; all in turn when left out
  --store  keeps checkpoints in a real server of this system, which is killed, too; in a folder when left out
  --seeds  how many seeds in all, default 20
  --first  the first of them, default 0
  --log    prints what happens in every run
`

interface Wish {
  jobs: readonly FaultJob[]
  store: StoreServer | undefined
  seeds: number
  first: number
  log: 'print' | 'keep'
}

endWithStarter()
const wish = readWish()
if (typeof wish === 'string') {
  process.stderr.write(`faults: ${wish}\n${USAGE}`)
  process.exitCode = 2
} else {
  const whyNoStore = wish.store?.missing()
  if (whyNoStore !== undefined) throw new Error(`--store ${wish.store?.name}: ${whyNoStore}`)
  const whyNoKafka = await kafkaBedMissing()
  if (whyNoKafka === undefined && !isInBed()) await fetchKafka()
  if (!isInBed()) await wish.store?.fetch()
  process.exitCode =
    (await enterBed()) ??
    ((await runSeeds({
      ...wish,
      jobs: wish.jobs.filter(({ over }) => over !== 'kafka' || whyNoKafka === undefined),
    })) === 0
      ? 0
      : 1)
}

function readWish(): Wish | string {
  const { values } = parseArgs({
    options: {
      job: { type: 'string' },
      store: { type: 'string' },
      seeds: { type: 'string', default: '20' },
      first: { type: 'string', default: '0' },
      log: { type: 'boolean', default: false },
    },
  })
  const jobs = FAULT_JOBS.filter(({ name }) => values.job === undefined || values.job === name)
  if (jobs.length === 0) return `there is no job "${values.job ?? ''}"`
  const store = STORE_SERVERS.find(({ name }) => name === values.store)
  if (values.store !== undefined && store === undefined) return `--store ${values.store} is none of the systems`
  const [seeds, first] = [Number(values.seeds), Number(values.first)]
  if (!Number.isSafeInteger(seeds) || seeds < 1) return `--seeds ${values.seeds} is not a number of seeds`
  if (!Number.isSafeInteger(first) || first < 0) return `--first ${values.first} is not a seed`
  return { jobs, store, seeds, first, log: values.log ? 'print' : 'keep' }
}

/** How many seeds failed. */
async function runSeeds({ jobs, store, seeds, first, log }: Wish): Promise<number> {
  const startedAt = Date.now()
  const seconds = (): number => Math.round((Date.now() - startedAt) / 1000)
  const failed: string[] = []
  let faults = 0
  process.stdout.write(
    `network and disk ${isInBed() ? 'are' : 'cannot be'} disturbed${isInBed() && faultBed()?.slowDisk === undefined ? '; the disk is not slowed: no strace that may attach' : ''}\n`,
  )
  const place = store && (await startStorePlace(store))
  for (let seed = first; seed < first + seeds; seed++) {
    const job = jobs[seed % jobs.length] as FaultJob
    const verdict = await runWithFaults(job, {
      seed,
      place,
      ...(log === 'print' ? { say: (line: string) => process.stdout.write(`  ${line}\n`) } : {}),
    })
    faults += verdict.faults
    const which = `${job.name} seed ${seed}`
    process.stdout.write(
      `${which}: ${verdict.wrong === undefined ? 'right' : 'WRONG'}, ${verdict.faults} faults; ${seed - first + 1} of ${seeds}, ${seconds()} s\n`,
    )
    if (verdict.wrong === undefined) continue
    failed.push(which)
    process.stdout.write(
      `  ${verdict.wrong}\n${verdict.log.map((line) => `  ${line}\n`).join('')}  again: node cli/node.js test/faults.ts --job ${job.name}${store === undefined ? '' : ` --store ${store.name}`} --first ${seed} --seeds 1 --log\n`,
    )
  }
  await endFaultRuns()
  await place?.stop()
  process.stdout.write(
    `seeds ${first} to ${first + seeds - 1}: ${faults} faults, ${failed.length} failed${failed.length === 0 ? '' : ` (${failed.join(', ')})`}, ${seconds()} s\n`,
  )
  return failed.length
}
