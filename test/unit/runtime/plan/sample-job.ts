import { parse } from 'yaml'
import type { ConnectorDeclarations, DeclaredOptions } from '../../../../runtime/graph/connector-declaration.ts'
import type { JobGraph } from '../../../../runtime/graph/job-graph.ts'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import { anyOptions } from '../../../harness/any-connectors.ts'
import type { Problem } from '../../../../runtime/graph/problems.ts'

const anything = { options: anyOptions }
const missing = { path: 'topic', message: 'is missing' }
const TOPIC: DeclaredOptions = {
  table: {},
  check: (options) => (options['topic'] === undefined ? [missing] : []),
}
const TOPIC_OR_PATH: DeclaredOptions = {
  table: {},
  check: (options) => (options['topic'] === undefined && options['path'] === undefined ? [missing] : []),
}

/** Stand-ins for the connectors: `kafka` wants a topic, `nexmark` has its own schema. */
export const CHECKS: ConnectorDeclarations = {
  sources: {
    kafka: { options: TOPIC },
    file: anything,
    nexmark: {
      ...anything,
      fixedSchema: () => ({
        fields: [
          { name: 'at', type: 'timestamp', nullable: false },
          { name: 'price', type: 'long', nullable: false },
        ],
      }),
    },
  },
  sinks: { kafka: anything, file: anything, console: anything, druid: anything },
  tables: {},
  deadLetters: { kafka: { options: TOPIC_OR_PATH }, file: { options: TOPIC_OR_PATH } },
}

/** The job of the design, section 3. */
export const BIDS = `
replicas: 2
checkpoints: { interval: 5s, store: "file:///checkpoints" }
graph:
  - id: bids
    source: { kafka: { brokers: "kafka:9092", topic: bids, format: json } }
    schema: { auction: long, bidder: long, price: long, at: timestamp, channel: string }
    eventTime: { field: at, outOfOrderness: 4s }
  - id: dear
    from: bids
    filter: price > 100 && channel !== 'test'
  - id: hot
    from: dear
    keyBy: auction
    window: { hop: 2s, size: 10s }
    aggregate: { bids: count(), top: max(price) }
  - id: out
    from: hot
    sink: { druid: { datasource: hot-auctions } }
`

export function specOf(yaml: string): unknown {
  return parse(yaml)
}

export function problemsOf(yaml: string): readonly Problem[] {
  const result = validateJob(specOf(yaml), CHECKS)
  return 'problems' in result ? result.problems : []
}

export function graphOf(yaml: string): JobGraph {
  const result = validateJob(specOf(yaml), CHECKS)
  if ('graph' in result) return result.graph
  throw new Error(`the job is not sound: ${JSON.stringify(result.problems)}`)
}
