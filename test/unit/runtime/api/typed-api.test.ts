import { describe, expect, test } from 'vitest'
import { compiledYaml } from '../../../../cli/compile.ts'
import { findingsOfModule } from '../../../../cli/job-module.ts'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { count, expr, file, job, kafka, max, nexmark, print, stream, tumble } from '../../../../runtime/api/millrace.ts'
import { parseAllDocuments } from 'yaml'

const LOCAL = { kind: 'path', path: './job.ts' } as const

describe('the typed API', () => {
  test('a job becomes the graph list of the design, functions named after their operators', () => {
    const bids = stream('bids', kafka({ brokers: 'kafka:9092', topic: 'bids', format: 'json' }), {
      schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' }, eventTime: { field: 'at', outOfOrderness: '4s' },
    })
    const isDear = ({ price }: { price: number }): boolean => price > 100
    const hot = bids.filter('dear', isDear).keyBy('auction').window('hot', tumble('10s'), { bids: count(), top: max('price') })
    const written = job({ name: 'hot-auctions', replicas: 2, checkpoints: { interval: '5s' }, sinks: [hot.sink('out', print()), hot.side.late.sink('late', file({ path: 'late', format: 'json' }))] })
    expect(written.spec(LOCAL)).toEqual({
      replicas: 2, checkpoints: { interval: '5s' }, modules: { job: { path: './job.ts' } },
      graph: [
        { id: 'bids', source: { kafka: { brokers: 'kafka:9092', topic: 'bids', format: 'json' } }, schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' }, eventTime: { field: 'at', outOfOrderness: '4s' } },
        { id: 'dear', from: 'bids', filter: { module: 'job', function: 'dear' } },
        { id: 'hot', from: 'dear', keyBy: ['auction'], window: { tumble: '10s' }, aggregate: { bids: 'count()', top: 'max(price)' } },
        { id: 'out', from: 'hot', sink: { console: {} } },
        { id: 'late', from: 'hot.late', sink: { file: { path: 'late', format: 'json' } } },
      ],
    })
    expect(written.functions).toEqual({ dear: isDear })
    expect(findingsOfModule('job.ts', written, builtinConnectors)).toEqual([])
  })

  test('a stream that two read is one operator, and what no sink reads is left out', () => {
    const bids = stream('bids', nexmark('bid', { events: 10 }))
    bids.filter('unread', 'price > 1')
    const written = job({ name: 'both', sinks: [bids.filter('a', 'price > 1').sink('out-a', print()), bids.filter('b', 'price > 2').sink('out-b', print())] })
    expect(written.graph.map((entry) => entry['id'])).toEqual(['bids', 'a', 'out-a', 'b', 'out-b'])
    expect(written.spec(LOCAL)).not.toHaveProperty('modules')
  })

  test('an expression of another type than declared is found when the job is checked', () => {
    const bids = stream('bids', nexmark('bid', { events: 10 }))
    const written = job({ name: 'wrong', sinks: [bids.set('set', { half: expr('long', 'price / 2'), twice: expr('long', 'price * 2') }).sink('out', print())] })
    expect(findingsOfModule('job.ts', written, builtinConnectors)).toMatchObject([
      { code: 'DECLARED_TYPE', path: 'spec.graph[1]', message: '"half" of "set" is double, declared is long', hint: "write 'double' where it is declared" },
    ])
  })

  test('what the planner refuses is told with its path', () => {
    const bids = stream('bids', nexmark('bid', { events: 10 }))
    const written = job({ name: 'wrong', sinks: [bids.filter('dear', 'prcie > 1').sink('out', print())] })
    expect(findingsOfModule('job.ts', written, builtinConnectors)).toMatchObject([{ file: 'job.ts', code: 'UNKNOWN_FIELD', path: 'spec.graph[1].filter', hint: 'did you mean "price"?' }])
  })

  test('compiled, the ConfigMap is named after its text and the StreamJob names it', () => {
    const written = job({ name: 'right', sinks: [stream('bids', nexmark('bid', { events: 10 })).filter('dear', (bid) => bid.price > 1).sink('out', print())] })
    const [configMap, streamJob] = parseAllDocuments(compiledYaml(written, 'export default 1\n')).map((document) => document.toJS() as { metadata: { name: string } })
    const name = configMap?.metadata.name ?? ''
    expect(name).toMatch(/^right-functions-[0-9a-f]{10}$/)
    expect(configMap).toMatchObject({ kind: 'ConfigMap', immutable: true, data: { 'job.mjs': 'export default 1\n' } })
    expect(streamJob).toMatchObject({ kind: 'StreamJob', metadata: { name: 'right' }, spec: { modules: { job: { configMap: name, key: 'job.mjs' } } } })
    expect(compiledYaml(written, 'export default 2\n')).not.toContain(name)
  })
})
