import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { builtinConnectors } from '../../runtime/builtin-connectors.ts'
import { decodeManifest } from '../../runtime/checkpoint/manifest.ts'
import { InProcessJob } from '../harness/in-process-job.ts'

const EVENTS = 8_000
/** Checkpoints of the run that are kept and restored; on a slow machine fewer come by. */
const COPIES = 5
const FEWEST = 3

const jobs: InProcessJob[] = []
afterEach(async () => {
  await Promise.all(jobs.splice(0).map((job) => job.close()))
})

/** State of every kind that is written in its own way: window, running aggregate, join, and logs of rows. */
function spec(replicas: number, speed: object): object {
  return {
    replicas,
    checkpoints: { interval: '100ms' },
    graph: [
      { id: 'bids', source: { nexmark: { events: EVENTS, type: 'bid', ...speed } }, eventTime: { field: 'dateTime' } },
      {
        id: 'hot',
        from: 'bids',
        keyBy: 'auction',
        window: { hop: '1s', size: '3s' },
        aggregate: { n: 'count()', top: 'max(price)' },
      },
      { id: 'out-hot', from: 'hot', sink: { file: { path: 'out/hot' } } },
      { id: 'counts', from: 'bids', keyBy: 'bidder', aggregate: { n: 'count()' }, emit: 'everyRow' },
      { id: 'out-counts', from: 'counts', sink: { file: { path: 'out/counts' } } },
      { id: 'first', from: 'bids', keyBy: 'auction', dedupe: { keep: 'first' } },
      { id: 'seen', from: 'first', map: { auction: 'auction' } },
      { id: 'out-seen', from: 'seen', sink: { file: { path: 'out/seen' } } },
      {
        id: 'pairs',
        from: ['bids', 'seen'],
        join: { keyBy: 'auction', select: { auction: 'bids.auction', price: 'bids.price' } },
      },
      { id: 'out-pairs', from: 'pairs', sink: { file: { path: 'out/pairs' } } },
    ],
  }
}

async function started(replicas: number, speed: object, restore?: string): Promise<InProcessJob> {
  const job = new InProcessJob(
    spec(replicas, speed),
    builtinConnectors,
    undefined,
    restore === undefined ? {} : { start: { restore } },
  )
  jobs.push(job)
  await job.start()
  return job
}

async function finished(job: InProcessJob): Promise<string[]> {
  await job.reportWith('finished', ({ phase, error }) => {
    if (phase === 'failed') throw new Error(error?.message)
    return phase === 'finished'
  })
  return rowsOf(partsIn(join(job.folder, 'out')))
}

function partsIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /(^|\/)part-[^/]*$/.test(name))
    .map((name) => join(folder, name))
}

/** Sorted, with the sink that wrote them: which slot comes first is chance. */
function rowsOf(parts: readonly string[]): string[] {
  return parts
    .flatMap((path) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => `${basename(dirname(path))} ${line}`),
    )
    .sort()
}

/** Copies the store at every new checkpoint until there are enough. */
async function copiesOf(job: InProcessJob): Promise<{ location: string; parts: string[] }[]> {
  const copies = new Map<number, { location: string; parts: string[] }>()
  const parts = new Set<string>()
  await job.reportWith('checkpointed often enough', ({ checkpoint, phase }) => {
    if (phase === 'finished') return true
    if (checkpoint === null || copies.has(checkpoint.id)) return false
    const store = join(job.folder, `copy-${checkpoint.id}`)
    cpSync(join(job.folder, 'store'), store, { recursive: true })
    // with those before that are still kept: one may have come and gone between two looks
    for (const id of readdirSync(join(store, 'job', 'checkpoints')))
      for (const part of committed(join(store, 'job', 'checkpoints', id, 'manifest.json'), checkpoint.id))
        parts.add(part)
    copies.set(checkpoint.id, { location: join(store, 'job', dirname(checkpoint.path)), parts: [...parts] })
    return copies.size === COPIES
  })
  return [...copies.values()]
}

/** The parts that are visible once a checkpoint up to `last` is complete and were not before. */
function committed(manifest: string, last: number): string[] {
  if (!existsSync(manifest)) return []
  const { id, subtasks } = decodeManifest(
    { path: manifest.slice(manifest.lastIndexOf('checkpoints/')) },
    readFileSync(manifest),
  )
  if (id > last) return []
  return Object.values(subtasks)
    .flatMap(({ committables }) => Object.values(committables).flat())
    .map((committable) => (committable as { to: string }).to)
}

test('every checkpoint of a run, also when it is restored a second time and with another number of slots, goes on to the same rows', async () => {
  // slow enough for a loaded machine to look several times
  const run = await started(2, { rate: '1000/s' })
  const copies = await copiesOf(run)
  expect(copies.length).toBeGreaterThanOrEqual(FEWEST)
  const all = await finished(run)
  const ended = new Set(partsIn(join(run.folder, 'out')))
  for (const [index, { location, parts }] of copies.entries()) {
    const before = [...ended].filter((part) => parts.includes(part))
    for (const replicas of index % 2 === 0 ? [3, 1] : [2]) {
      const after = await finished(await started(replicas, {}, location))
      expect([...rowsOf(before), ...after].sort(), `from ${location} with ${replicas}`).toEqual(all)
    }
  }
})
