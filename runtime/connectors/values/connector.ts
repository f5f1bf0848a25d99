import { compileJsonScanner } from '../../codegen/json/json-scanner.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import { RowBatch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import { pacing, type Pacing } from '../kit/pacing.ts'
import { RowScan } from '../kit/row-scan.ts'
import type { Connector } from '../registry.ts'
import type { ReaderContext, SourceBatch, SourceReader } from '../source.ts'
import { rowsOf, sourceOptions, tableOptions } from './declaration.ts'
import { valuesTable } from './table.ts'

/** All rows are one split, whose position is the index of the next one: their order is that of the job. */
const SPLIT = 'values'

export const connector = {
  source: (written) => {
    sourceOptions.read(written)
    return {
      enumerator: () => ({
        discover: async (known) => (known.length > 0 ? [...known] : [{ id: SPLIT, position: null, finished: false }]),
        close: async () => undefined,
      }),
      reader: (context, rows) => new ValuesReader(context, rowsOf(written, context.schema), rows),
    }
  },
  table: (written) => {
    const { rows } = tableOptions.read(written)
    return { open: async (context) => valuesTable(rows, context) }
  },
} satisfies Connector

/** Rows are read as JSON records are, so that a text means the same timestamp or decimal here and there. */
class ValuesReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #values: readonly unknown[]
  readonly #scan: RowScan
  #pacing: Pacing | undefined
  /** Undefined in slots that the split is not in. */
  #next: number | undefined
  /** The row at `#next`, once it was looked at. */
  #head: Row | undefined
  #openedAt = 0

  constructor(context: ReaderContext, values: readonly unknown[], rows: RowClass) {
    this.#context = context
    this.#values = values
    this.#scan = new RowScan(context, compileJsonScanner(context.schema, rows))
  }

  async open(splits: readonly Split[]): Promise<void> {
    const [split] = splits
    if (split !== undefined) this.#next = positionOf(split, this.#values.length)
    this.#openedAt = this.#context.ports.clock.now()
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    const now = this.#context.ports.clock.now()
    const first = this.#headRow()
    if (first === undefined) return undefined
    // event time is replayed from that of the first row, and the whole rate is this slot's, since the only split is
    this.#pacing ??= pacing(this.#context.verb.rate, this.#timeOf(first), 1, this.#openedAt)
    const allowed = this.#pacing.allowance(maxRows, now)
    const dueTime = this.#pacing.dueTime(now)
    const rows: Row[] = []
    for (let row: Row | undefined = first; rows.length < allowed && row !== undefined; row = this.#headRow()) {
      if (this.#timeOf(row) > dueTime) break
      rows.push(row)
      this.#passHead()
    }
    this.#pacing.onEmitted(rows.length)
    return rows.length === 0 ? undefined : { split: SPLIT, batch: new RowBatch(rows) }
  }

  snapshot(): Split[] {
    if (this.#next === undefined) return []
    return [{ id: SPLIT, position: this.#next, finished: this.isFinished() }]
  }

  isFinished(): boolean {
    return this.#next === undefined || this.#next >= this.#values.length
  }

  async close(): Promise<void> {
    this.#next = undefined
  }

  /** The next row; values that are no rows are reported and passed. */
  #headRow(): Row | undefined {
    while (this.#head === undefined && this.#next !== undefined && this.#next < this.#values.length) {
      const index = this.#next
      const bytes = Buffer.from(JSON.stringify(this.#values[index]))
      this.#head = this.#scan.row(bytes, 0, bytes.length, () => `values[${index}]`)
      if (this.#head === undefined) this.#next++
    }
    return this.#head
  }

  #passHead(): void {
    this.#head = undefined
    if (this.#next !== undefined) this.#next++
  }

  #timeOf(row: Row): number {
    const time = row[this.#context.verb.eventTime?.field ?? '']
    return typeof time === 'number' ? time : -Infinity
  }
}

function positionOf({ id, position }: Split, count: number): number {
  const next = position ?? 0
  if (id === SPLIT && typeof next === 'number' && Number.isSafeInteger(next) && next >= 0 && next <= count) return next
  throw new MillraceError(
    'SPLIT_INVALID',
    `the checkpoint continues at ${JSON.stringify(position)} of ${id}, and the job has ${count} values`,
    {
      domain: 'user',
      hint: 'the values were changed under the same id: give the source a new id, or start without the old state',
    },
  )
}
