import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWithStarter } from '../cli/end-with-starter.ts'
import { LocalJob } from '../cli/local-job.ts'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { importSavedState, openSavedState } from '../runtime/checkpoint/saved-state.ts'
import { unseal } from '../runtime/checkpoint/sealed-file.ts'
import type { JobReport } from '../runtime/control/job-report.ts'
import { subtasksOf } from '../runtime/plan/chaining.ts'
import { readJobFile } from '../runtime/front/job-file.ts'
import { planJob } from '../runtime/front/planned-job.ts'
import { openFileStore } from '../runtime/ports/real/file-store.ts'
import { openAnyStore } from '../runtime/builtin-stores.ts'
import { KEPT, packFolder, PLACE, rowsOf, settledOutputs } from './harness/kept-savepoints.ts'
import { ROOT } from './harness/source-files.ts'
import { until } from './harness/until.ts'

/**
 * Makes the kept savepoints of this version: each example of examples/verbs, made small, is suspended midway, and its
 * savepoint, what it had put out, and what it gives without a pause go into
 * test/fixtures/savepoints/VERSION/EXAMPLE.gz. Run once for a version, before it is released: later versions have
 * to restore them as they are.
 *   node cli/node.js test/keep-savepoints.ts [EXAMPLE...]
 */
const VERBS = join(ROOT, 'examples', 'verbs')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
const TARGET = join(KEPT, version)
const EVENTS = 400
const DEPARTURES = 200
/** How much of what the job takes in all it has taken in when it is suspended. */
const HALF = 0.55
/** Rows per second in each of the eight splits; departures have one. */
const SLOW = { nexmark: '20/s', file: '60/s' }

type Entry = Record<string, unknown> & { id: string }
interface Spec {
  graph: Entry[]
  [field: string]: unknown
}

endWithStarter()
const wanted = process.argv.slice(2)
const examples = readdirSync(VERBS)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length))
mkdirSync(TARGET, { recursive: true })
cpSync(join(VERBS, 'functions.ts'), join(TARGET, 'functions.ts'))
writeFileSync(join(TARGET, 'departures.jsonl'), departures())
for (const example of wanted.length > 0 ? wanted : examples) await keep(example)

/** Departures of two small airports, in order: days of busy spells with pauses between them. */
function departures(): string {
  return Array.from({ length: DEPARTURES }, (_, index) => {
    const date = 978_300_000_000 + index * 15 * 60_000 + Math.floor(index / 20) * 3 * 3_600_000
    return `${JSON.stringify({ date, delay: ((index * 37) % 90) - 20, distance: 200 + ((index * 53) % 700), origin: index % 3 === 0 ? 'YUM' : 'ACV', destination: ['SFO', 'LAX', 'PHX', 'SMF'][(index * 7) % 4] })}\n`
  }).join('')
}

/** The example over little input, into files beside it, with conditions that little input meets too. */
function smallSpec(example: string, pace: 'slow' | 'fast'): Spec {
  const { spec } = readJobFile(readFileSync(join(VERBS, `${example}.yaml`), 'utf8')) as { spec: Spec }
  const { checkpoints: _, ...rest } = spec
  return { ...rest, replicas: 2, graph: spec.graph.map((entry) => smallEntry(entry, pace)) }
}

function smallEntry(entry: Entry, pace: 'slow' | 'fast'): Entry {
  const { id, source, sink, filter } = entry as Entry & { source?: { nexmark?: object; file?: object } }
  const rate = (of: keyof typeof SLOW): object => (pace === 'slow' ? { rate: SLOW[of] } : {})
  if (source?.nexmark !== undefined)
    return {
      ...entry,
      source: { nexmark: { ...source.nexmark, events: EVENTS, eventsPerSecond: 10, ...rate('nexmark') } },
    }
  if (source?.file !== undefined)
    return { ...entry, source: { file: { path: './departures.jsonl', format: 'json', ...rate('file') } } }
  if (sink !== undefined) return { ...entry, sink: { file: { path: `./out/${id}`, format: 'json' } } }
  if (typeof filter === 'string') {
    return {
      ...entry,
      filter: filter
        .replace(/^(bids|times) > \d+$/, '$1 > 1')
        .replace(/price > \d{6,}/, 'price > 1000')
        .replace("state === 'OR'", "state !== ''")
        .replace("origin === 'DRO' || origin === 'AKN'", "origin !== ''"),
    }
  }
  return entry
}

async function keep(example: string): Promise<void> {
  const to = mkdtempSync(join(tmpdir(), 'millrace-kept-'))
  const { expected, recordsIn: all } = await inFolder(example, 'fast', async (job, folder) => {
    const { recordsIn } = await reported(job, 'finished', ({ phase }) => phase === 'finished')
    return { recordsIn, expected: settledOutputs(example, folder) }
  })
  await inFolder(example, 'slow', async (job, folder, spec) => {
    await reported(job, 'half through', ({ recordsIn }) => recordsIn > all * HALF)
    await job.setTarget({ revision: 'kept', spec, desiredState: 'suspended' })
    await reported(job, 'suspended', ({ phase }) => phase === 'suspended')
    const saved = await openSavedState(openAnyStore, join(folder, 'state', 'local', example, 'kept'))
    const { path } = await importSavedState(saved, openFileStore(join(to, 'state')), {
      job: example,
      jobUid: 'kept',
    })
    const manifest = join(to, 'state', path)
    writeFileSync(manifest, unseal({ path }, readFileSync(manifest)).replaceAll(folder, PLACE))
    if (existsSync(join(folder, 'out'))) cpSync(join(folder, 'out'), join(to, 'out'), { recursive: true })
  })
  const job = {
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'StreamJob',
    metadata: { name: example },
    spec: { ...smallSpec(example, 'fast'), replicas: 3 },
  }
  writeFileSync(join(to, 'job.yaml'), `${JSON.stringify(job, null, 2)}\n`)
  writeFileSync(join(to, 'expected.json'), `${JSON.stringify(expected, null, 1)}\n`)
  const counts = Object.entries(expected).map(
    ([sink, lines]) => `${sink} ${rowsOf(join(to, 'out', sink)).length} rows before, ${lines.length} settled in all`,
  )
  packFolder(to, join(TARGET, `${example}.gz`))
  rmSync(to, { recursive: true })
  process.stdout.write(`${example}: ${counts.join('; ')}\n`)
}

async function inFolder<T>(
  example: string,
  pace: 'slow' | 'fast',
  use: (job: LocalJob, folder: string, spec: Spec) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kept-'))
  const spec = smallSpec(example, pace)
  const job = new LocalJob({
    name: example,
    uid: 'kept',
    token: 'token',
    store: join(folder, 'state'),
    baseDir: folder,
    logLevel: 'silent',
  })
  try {
    for (const file of ['functions.ts', 'departures.jsonl']) cpSync(join(TARGET, file), join(folder, file))
    await job.start(subtasksOf(planJob(spec, builtinConnectors).plan))
    await job.setTarget({ revision: 'kept', spec, desiredState: 'running' })
    return await use(job, folder, spec)
  } finally {
    await job.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function reported(job: LocalJob, what: string, matches: (report: JobReport) => boolean): Promise<JobReport> {
  return until(
    `the job is ${what}`,
    async () => {
      const report = await job.report()
      if (report?.phase === 'failed') throw new Error(`the job failed: ${report.error?.code} ${report.error?.message}`)
      return report !== undefined && matches(report) ? report : undefined
    },
    120_000,
  )
}
