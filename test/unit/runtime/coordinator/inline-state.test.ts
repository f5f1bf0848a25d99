import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { INLINE_STATE_BYTES, inlineBytesOfSubtask } from '../../../../runtime/coordinator/inline-state.ts'
import { planJob } from '../../../../runtime/front/planned-job.ts'
import type { Ports } from '../../../../runtime/ports/ports.ts'
import type { Store } from '../../../../runtime/ports/store.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const EVENTS = 2_500
/** 46 of 50 events of Nexmark are bids. */
const BIDS = 2_300

let job: InProcessJob | undefined
afterEach(async () => {
  await job?.close()
  job = undefined
})

function filesIn(folder: string, suffix = ''): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix) && !entry.name.startsWith('.'))
    .map(({ parentPath, name }) => join(parentPath, name))
}

test.each([
  ['little state is kept in the manifests alone', INLINE_STATE_BYTES, false],
  ['nothing may stay inline, each state is a file', 0, true],
])('when %s, a job that is suspended goes on with all of it', async (_, inlineStateBytes, hasFiles) => {
  job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      graph: [
        { id: 'bids', source: { nexmark: { events: EVENTS, type: 'bid', rate: '500/s' } } },
        { id: 'keyed', from: 'bids', map: { key: 'auction % 10' } },
        { id: 'sums', from: 'keyed', keyBy: 'key', aggregate: { n: 'count()' }, emit: 'everyRow' },
        { id: 'out', from: 'sums', sink: { file: { path: 'out', format: 'json' } } },
      ],
    },
    builtinConnectors,
    quietPorts(),
    { inlineStateBytes },
  )
  await job.start()
  // with the first state that there is, long before the rows end
  await job.reportWith('checkpointing', ({ checkpoint }) => (checkpoint?.sizeBytes ?? 0) > 0)
  job.want('suspended')
  const { checkpoint } = await job.reportWith('suspended', ({ phase }) => phase === 'suspended')
  expect(checkpoint?.sizeBytes).toBeGreaterThan(0)
  expect(filesIn(join(job.folder, 'store'), '.state').length > 0).toBe(hasFiles)
  job.want('running')
  await job.reportWith('finished', ({ phase }) => phase === 'finished')
  const rows = filesIn(join(job.folder, 'out')).flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { key: number; n: number }),
  )
  expect(rows.length).toBe(BIDS)
  const byKey = Map.groupBy(rows, ({ key }) => key)
  for (const counts of byKey.values())
    expect(counts.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from(counts, (_count, index) => index + 1))
})

/** A store that notes what is put, and all of it. */
function notingPorts(): { ports: Ports; puts: string[] } {
  const puts: string[] = []
  const ports = quietPorts()
  const openStore = (url: string): Store => {
    const store = ports.openStore(url)
    const put = (path: string, bytes: Uint8Array): Promise<void> => {
      puts.push(path)
      return store.put(path, bytes)
    }
    return new Proxy(store, { get: (of, name: keyof Store) => (name === 'put' ? put : of[name].bind(of)) })
  }
  return { ports: { ...ports, openStore }, puts }
}

test('a checkpoint of several slots with a little state is two puts and an entry in the log, checkpoint after checkpoint', async () => {
  const { ports, puts } = notingPorts()
  job = new InProcessJob(
    {
      replicas: 3,
      checkpoints: { interval: '50ms' },
      graph: [
        { id: 'bids', source: { nexmark: { events: 1_000_000, type: 'bid', rate: '100/s' } } },
        { id: 'keyed', from: 'bids', map: { key: 'auction % 10' } },
        { id: 'sums', from: 'keyed', keyBy: 'key', aggregate: { n: 'count()' }, emit: 'everyRow' },
        { id: 'out', from: 'sums', sink: 'console' },
      ],
    },
    builtinConnectors,
    ports,
  )
  await job.start()
  await job.reportWith('checkpointing', ({ checkpoint }) => (checkpoint?.id ?? 0) > 6)
  const ofCheckpoints = puts.filter((path) => /checkpoints\/1-[2-5]\//.test(path))
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  expect([...new Set(ofCheckpoints.map(nameOf))].sort()).toEqual(['committed', 'manifest.json'])
  expect(new Set(ofCheckpoints).size).toBe(ofCheckpoints.length)
  expect(ofCheckpoints.filter((path) => nameOf(path) === 'manifest.json')).toHaveLength(4)
})

const graph = (...verbs: object[]) => ({
  graph: [
    { id: 'in', source: { values: [{ n: 1 }] }, schema: { n: 'long' } },
    ...verbs,
    { id: 'out', from: 'last', sink: 'console' },
  ],
})
const STATELESS = { id: 'last', from: 'in', filter: 'n > 0' }
const STATEFUL = { id: 'last', from: 'in', keyBy: 'n', aggregate: { all: 'count()' } }

test.each([
  ['one slot with state, and its source', { replicas: 1, ...graph(STATEFUL) }, 16 * 1024],
  ['20 slots with state, and their sources', { replicas: 20, ...graph(STATEFUL) }, 13_107],
  ['20 slots that keep nothing', { replicas: 20, ...graph(STATELESS) }, 16 * 1024],
  ['128 slots with state', { replicas: 128, ...graph(STATEFUL) }, 2048],
])('of %s each may have its share of the bytes in the manifest', (_, spec, bytes) => {
  expect(inlineBytesOfSubtask(INLINE_STATE_BYTES, planJob(spec, builtinConnectors).plan)).toBe(bytes)
})
