import { nexmarkSource } from '../runtime/connectors/nexmark/connector.ts'
import type { SinkConnector } from '../runtime/connectors/sink.ts'
import type { SourceConnector } from '../runtime/connectors/source.ts'
import type { Row, Schema } from '../runtime/model/schema.ts'

/** What a worker process has seen; printed when it ends. */
export interface WorkerFigures { rows: number; checksum: number; firstRowAt: number | null }

export const figures: WorkerFigures = { rows: 0, checksum: 0, firstRowAt: null }

/** Of every row with `emittedAt`, in the order of arrival. */
const latenciesMs: number[] = []

export interface Latencies { records: number; p50: number; p99: number; p999: number }

/** Of all but the first third, which is warm-up; null when nothing was measured. */
export function latencies(): Latencies | null {
  const measured = Float64Array.from(latenciesMs.slice(latenciesMs.length / 3)).sort()
  const at = (share: number): number => measured[Math.floor(measured.length * share)] ?? NaN
  return measured.length === 0 ? null : { records: measured.length, p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

/** Microseconds matter for latency, so not Date.now. */
function wallMs(): number { return performance.timeOrigin + performance.now() }

/** Counts rows and reads every field of each, so that nothing computed can be left out; keeps latencies of `emittedAt`. */
const blackhole: SinkConnector = {
  validate: () => [],
  writer: ({ schema }) => ({
    open: async () => undefined,
    async write(rows, count) {
      figures.firstRowAt ??= wallMs()
      figures.rows += count
      for (let index = 0; index < count; index++) figures.checksum += readAll(rows[index], schema)
      if (schema.fields.some((field) => field.name === 'emittedAt')) noteLatencies(rows, count)
    },
    prepareCommit: async () => [],
    commit: async () => undefined,
    close: async () => undefined,
  }),
}

function readAll(row: Row | undefined, schema: Schema): number {
  let sum = 0
  if (row) for (const { name } of schema.fields) { const value = row[name]; sum += typeof value === 'number' ? value & 1 : typeof value === 'string' ? value.length : 1 }
  return sum
}

function noteLatencies(rows: readonly Row[], count: number): void {
  const now = wallMs()
  for (let index = 0; index < count; index++) latenciesMs.push(now - Number(rows[index]?.['emittedAt']))
}

const TICKS: Schema = {
  fields: [
    { name: 'key', type: 'long', nullable: false }, { name: 'value', type: 'long', nullable: false },
    { name: 'emittedAt', type: 'double', nullable: false },
  ],
}

/** `{ perSecond, records }`: rows of three numbers at a steady rate, stamped when they are given out. */
const ticks: SourceConnector & { fixedSchema(): Schema } = {
  validate: () => [],
  fixedSchema: () => TICKS,
  enumerator: () => ({ discover: async (known) => known.length > 0 ? [...known] : [{ id: 'ticks', position: 0, finished: false }], close: async () => undefined }),
  reader(context, Rows) {
    const perMs = Number(context.verb.options['perSecond']) / 1000
    const total = Number(context.verb.options['records'])
    let next = 0
    let startedAt = 0
    return {
      async open(splits) { next = Number(splits[0]?.position ?? total); startedAt = wallMs() - next / perMs },
      async poll(maxRows) {
        const due = Math.min(total, Math.floor((wallMs() - startedAt) * perMs), next + maxRows)
        if (due <= next) return undefined
        const emittedAt = wallMs()
        const rows: Row[] = []
        for (; next < due; next++) rows.push(new Rows(next % 1024, next, emittedAt))
        return { split: 'ticks', rows }
      },
      snapshot: () => [{ id: 'ticks', position: next, finished: next >= total }],
      isFinished: () => next >= total,
      close: async () => undefined,
    }
  },
}

export const benchConnectors = { sources: { nexmark: nexmarkSource, ticks }, sinks: { blackhole } }
