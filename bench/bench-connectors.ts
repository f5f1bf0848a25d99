import { RowBatch } from '../runtime/memory/batch.ts'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { Connectors } from '../runtime/connectors/registry.ts'
import type { SinkConnector } from '../runtime/connectors/sink.ts'
import type { SourceConnector } from '../runtime/connectors/source.ts'
import type { DeclaredOptions, Options } from '../runtime/graph/connector-declaration.ts'
import type { Row, Schema } from '../runtime/model/schema.ts'
import { compileReadAll, compileReadColumns } from './read-all.ts'
import { RowHash, type HashedRows } from './row-hash.ts'

/** What a worker process has seen; printed when it ends. */
export interface WorkerFigures {
  rows: number
  checksum: number
  hash: number
  finalRows: number
  firstRowAt: number | null
}

export const figures: WorkerFigures = { rows: 0, checksum: 0, hash: 0, finalRows: 0, firstRowAt: null }

/** The latency of every row with `emittedAt`, in the order of arrival. */
const latenciesMs: number[] = []

export interface Latencies {
  records: number
  p50: number
  p99: number
  p999: number
}

/** Covers all but the first third, which is warm-up; null when nothing was measured. */
export function latencies(): Latencies | null {
  const measured = Float64Array.from(latenciesMs.slice(latenciesMs.length / 3)).sort()
  const at = (share: number): number => measured[Math.floor(measured.length * share)] ?? NaN
  return measured.length === 0 ? null : { records: measured.length, p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

/** Microseconds matter for latency, so not Date.now. */
function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

/** What is hashed, as JSON. Hashing costs more than most queries, so only the run that checks results does it. */
const hashed = process.env['MILLRACE_BENCH_HASH']

/** Counts rows and reads every field of each; keeps latencies of `emittedAt`. */
const blackhole: SinkConnector = {
  writer: ({ schema }) => {
    const readAll = compileReadAll(schema)
    const readColumns = compileReadColumns(schema)
    const hash = hashed === undefined ? undefined : new RowHash(schema, JSON.parse(hashed) as HashedRows)
    const isTimed = schema.fields.some((field) => field.name === 'emittedAt')
    return {
      takesColumns: true,
      open: async () => undefined,
      async write(batch) {
        const { count, columns } = batch
        figures.firstRowAt ??= wallMs()
        figures.rows += count
        figures.checksum += columns === undefined ? readAll(batch.rows(), count) : readColumns(columns, count)
        if (isTimed) noteLatencies(batch.rows(), count)
        if (hash !== undefined) noteHash(hash, batch.rows(), count)
      },
      prepareCommit: async () => [],
      commit: async () => undefined,
      close: async () => undefined,
    }
  },
}

function noteHash(hash: RowHash, rows: readonly Row[], count: number): void {
  for (let index = 0; index < count; index++) hash.add(rows[index] ?? {})
  figures.hash = hash.sum
  figures.finalRows = hash.finalRows
}

function noteLatencies(rows: readonly Row[], count: number): void {
  const now = wallMs()
  for (let index = 0; index < count; index++) latenciesMs.push(now - Number(rows[index]?.['emittedAt']))
}

const TICKS: Schema = {
  fields: [
    { name: 'key', type: 'long', nullable: false },
    { name: 'value', type: 'long', nullable: false },
    { name: 'emittedAt', type: 'double', nullable: false },
  ],
}

/** `{ perSecond, records }`: rows of three numbers at a steady rate, stamped when they are given out. */
const ticks = (options: Options): SourceConnector => ({
  enumerator: () => ({
    discover: async (known) => (known.length > 0 ? [...known] : [{ id: 'ticks', position: 0, finished: false }]),
    close: async () => undefined,
  }),
  reader(_context, Rows) {
    const perMs = Number(options['perSecond']) / 1000
    const total = Number(options['records'])
    let next = 0
    let startedAt = 0
    return {
      async open(splits) {
        next = Number(splits[0]?.position ?? total)
        startedAt = wallMs() - next / perMs
      },
      async poll(maxRows) {
        const due = Math.min(total, Math.floor((wallMs() - startedAt) * perMs), next + maxRows)
        if (due <= next) return undefined
        const emittedAt = wallMs()
        const rows: Row[] = []
        for (; next < due; next++) rows.push(new Rows(next % 1024, next, emittedAt))
        return { split: 'ticks', batch: new RowBatch(rows) }
      },
      snapshot: () => [{ id: 'ticks', position: next, finished: next >= total }],
      isFinished: () => next >= total,
      close: async () => undefined,
    }
  },
})

const UNCHECKED: DeclaredOptions = { table: {}, check: () => [] }

export const benchConnectors = new Connectors([
  ...builtinConnectors.entries,
  {
    declaration: {
      name: 'ticks',
      doc: 'Rows at a steady rate.',
      source: { options: UNCHECKED, fixedSchema: () => TICKS },
    },
    load: () => Promise.resolve({ connector: { source: ticks } }),
  },
  {
    declaration: { name: 'blackhole', doc: 'Reads every field of each row.', sink: { options: UNCHECKED } },
    load: () => Promise.resolve({ connector: { sink: () => blackhole } }),
  },
])
