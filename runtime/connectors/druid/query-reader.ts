import { createHash } from 'node:crypto'
import { compileJsonScanner } from '../../codegen/json/json-scanner.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import { RowBatch } from '../../memory/batch.ts'
import { isFields } from '../../model/fields.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import { PendingResult } from '../kit/pending-result.ts'
import { RowScan } from '../kit/row-scan.ts'
import type { ReaderContext, SourceBatch, SourceReader } from '../source.ts'
import type { DruidSourceOptions } from './declaration.ts'
import { DruidAccess } from './source-access.ts'

export const QUERY_SPLIT = 'query'

const NEWLINE = 10

/** `digest` is that of the whole result, of which `offset` bytes were emitted. */
interface QueryPosition {
  readonly offset: number
  readonly digest: string
}

/**
 * Reads the result of one SQL query, which is asked for as a whole. A restore asks again and continues where the old
 * result ended, when the new one is the same, byte for byte.
 */
export class QueryReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #query: string
  readonly #access: DruidAccess
  readonly #scan: RowScan
  readonly #pending: PendingResult<Buffer>
  #split: Split | undefined
  #result: Buffer | undefined
  #position: QueryPosition | undefined

  constructor(context: ReaderContext, options: DruidSourceOptions, query: string, rows: RowClass) {
    this.#context = context
    this.#query = query
    this.#access = new DruidAccess(context, options)
    this.#scan = new RowScan(context, compileJsonScanner(context.schema, rows))
    this.#pending = new PendingResult(context.ports.clock)
  }

  async open(splits: readonly Split[]): Promise<void> {
    ;[this.#split] = splits
    this.#position = this.#split === undefined ? undefined : queryPositionOf(this.#split)
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    if (this.isFinished()) return undefined
    const result = this.#result ?? (await this.#takeResult())
    const position = this.#position
    if (result === undefined || position === undefined) return undefined
    const rows: Row[] = []
    let { offset } = position
    while (rows.length < maxRows && offset < result.length) {
      const end = result.indexOf(NEWLINE, offset)
      const from = offset
      const row = end === from ? undefined : this.#scan.row(result, from, end, () => `byte ${from} of the result`)
      if (row !== undefined) rows.push(row)
      offset = end + 1
    }
    this.#position = { ...position, offset }
    return rows.length === 0 ? undefined : { split: QUERY_SPLIT, batch: new RowBatch(rows) }
  }

  snapshot(): Split[] {
    if (this.#split === undefined) return []
    return [
      {
        ...this.#split,
        position: this.#position === undefined ? null : { ...this.#position },
        finished: this.isFinished(),
      },
    ]
  }

  isFinished(): boolean {
    if (this.#split === undefined || this.#split.finished) return true
    return this.#result !== undefined && this.#position?.offset === this.#result.length
  }

  async close(): Promise<void> {
    this.#access.close()
    this.#result = undefined
  }

  async #takeResult(): Promise<Buffer | undefined> {
    if (!this.#pending.isUnderWay)
      this.#pending.start(this.#access.ask('the query', Infinity, (queries) => queries.sql(this.#query)))
    const result = await this.#pending.take()
    if (result === undefined) return undefined
    const digest = createHash('sha256').update(result).digest('hex')
    if (this.#position !== undefined && this.#position.offset > 0 && this.#position.digest !== digest)
      throw this.#changed()
    this.#position = { offset: this.#position?.offset ?? 0, digest }
    this.#result = result
    return result
  }

  #changed(): MillraceError {
    return new MillraceError(
      'DRUID_RESULT_CHANGED',
      `the query of ${this.#context.operatorId} has another result than when the job began to read it`,
      {
        domain: 'user',
        hint: 'Give the query a fixed time and an ORDER BY over all columns, or start the job without its old state.',
      },
    )
  }
}

/** Throws SPLIT_INVALID. */
function queryPositionOf({ id, position }: Split): QueryPosition | undefined {
  if (id === QUERY_SPLIT && position === null) return undefined
  if (id === QUERY_SPLIT && isFields(position)) {
    const { offset, digest } = position
    if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0 && typeof digest === 'string')
      return { offset, digest }
  }
  throw new MillraceError(
    'SPLIT_INVALID',
    `split ${JSON.stringify(id)} at ${JSON.stringify(position)} is none of a query`,
    {
      domain: 'user',
      hint: 'the source was changed under the same id: give it a new id, or start without the old state',
    },
  )
}
