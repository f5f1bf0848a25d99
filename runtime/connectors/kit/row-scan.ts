import type { RowScanner } from '../../codegen/contracts.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { ReaderContext } from '../source.ts'

/** A source that hands an error over keeps no more of the record than this. */
const RAW_BYTES_KEPT = 1024

/** Scans records into rows and hands those that are none to `onBadRecord` of the source. */
export class RowScan {
  readonly #context: Pick<ReaderContext, 'onBadRecord'>
  readonly #scanner: RowScanner
  /** Set where the schema lets the event time be null. */
  readonly #eventTimeField: string | undefined

  constructor(context: Pick<ReaderContext, 'schema' | 'verb' | 'onBadRecord'>, scanner: RowScanner) {
    const field = context.verb.eventTime?.field
    this.#context = context
    this.#scanner = scanner
    this.#eventTimeField = context.schema.fields.some(({ name, nullable }) => name === field && nullable)
      ? field
      : undefined
  }

  /**
   * The row of bytes[start..end); undefined once it has reported why there is none. `where` is the record's place.
   * `finish` may make another row of it, or throw.
   */
  row(
    bytes: Buffer,
    start: number,
    end: number,
    where: () => string,
    finish: (row: Row) => Row = (row) => row,
  ): Row | undefined {
    try {
      const row = finish(this.#scanner.row(bytes, start, end))
      if (this.#eventTimeField !== undefined && row[this.#eventTimeField] === null)
        throw new MillraceError('RECORD_INVALID', `event-time field ${this.#eventTimeField} is null or missing`, {
          domain: 'user',
        })
      return row
    } catch (error) {
      if (!(error instanceof Error)) throw error
      this.#context.onBadRecord(error, where(), bytes.subarray(start, Math.min(end, start + RAW_BYTES_KEPT)))
      return undefined
    }
  }
}
