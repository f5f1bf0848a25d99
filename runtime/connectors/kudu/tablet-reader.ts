import type { RowClass } from '../../codegen/rows/row.ts'
import { RowBatch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import { PendingResult } from '../kit/pending-result.ts'
import type { ReaderContext, SourceBatch, SourceReader, Split } from '../source.ts'
import { KuduAccess } from './access.ts'
import type { KuduClient, KuduConnect, KuduTable, Scanner, SnapshotTime, TabletScan } from './client.ts'
import { KUDU_TYPE, type Cell, type KuduColumn } from './columns.ts'
import type { KuduSourceOptions } from './declaration.ts'
import { KuduServerError, TABLET_SERVER } from './errors.ts'
import type { ScanBlock } from './scan-block.ts'
import { encodeScanPosition, scanPositionOf, type ScanPosition } from './scan-position.ts'
import { whyRefused } from './replaced-table.ts'
import { columnsToRead, type ReadColumn } from './table-columns.ts'

/** No column of a table has this name: Kudu's names are those of identifiers there. */
const DELETED: KuduColumn = {
  name: ' deleted',
  type: KUDU_TYPE.isDeleted,
  isKey: false,
  isNullable: false,
  precision: 0,
  scale: 0,
  length: 0,
}

/** The tablet of one split. */
interface Cursor {
  readonly id: string
  position: ScanPosition
  finished: boolean
  scanner: Scanner | undefined
}

type Answer =
  | { kind: 'rows'; cursor: Cursor; block: ScanBlock }
  | { kind: 'end'; cursor: Cursor }
  | { kind: 'window'; cursor: Cursor; until: SnapshotTime }
  | { kind: 'gone'; cursor: Cursor }

/** Reads tablets one after the other, in the order of their keys; continuous reading returns to each for its changes. */
export class TabletReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #options: KuduSourceOptions
  readonly #rows: RowClass
  readonly #access: KuduAccess
  readonly #pending: PendingResult<Answer>
  #table: KuduTable | undefined
  #columns: readonly ReadColumn[] = []
  #cursors: Cursor[] = []
  #paused: ReadonlySet<string> = new Set()
  #block: { cursor: Cursor; block: ScanBlock; next: number } | undefined
  /** No tablet is asked for changes before. */
  #nextLookAt = 0

  constructor(context: ReaderContext, options: KuduSourceOptions, rows: RowClass, connect: KuduConnect) {
    this.#context = context
    this.#options = options
    this.#rows = rows
    this.#access = new KuduAccess(connect, options, context)
    this.#pending = new PendingResult(context.ports.clock)
  }

  async open(splits: readonly Split[]): Promise<void> {
    this.addSplits(splits)
  }

  addSplits(splits: readonly Split[]): void {
    for (const split of splits)
      this.#cursors.push({
        id: split.id,
        position: scanPositionOf(split),
        finished: split.finished,
        scanner: undefined,
      })
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    if (this.#block === undefined || this.#paused.has(this.#block.cursor.id)) await this.#advance()
    const current = this.#block
    if (current === undefined || this.#paused.has(current.cursor.id)) return undefined
    const { cursor, block } = current
    const rows: Row[] = []
    for (; rows.length < maxRows && current.next < block.count; current.next++) {
      const row = this.#rowAt(cursor, block, current.next)
      if (row !== undefined) rows.push(row)
    }
    if (current.next === block.count) {
      cursor.position = { ...cursor.position, afterKey: block.lastKey, skip: 0 }
      this.#block = undefined
    } else cursor.position = { ...cursor.position, skip: current.next }
    return rows.length === 0 ? undefined : { split: cursor.id, batch: new RowBatch(rows) }
  }

  snapshot(): Split[] {
    return this.#cursors.map(({ id, position, finished }) => ({
      id,
      position: encodeScanPosition(position),
      finished,
    }))
  }

  /** The block of a paused tablet is read again later, behind what was emitted of it. */
  pauseSplits(paused: ReadonlySet<string>): void {
    this.#paused = paused
  }

  isFinished(): boolean {
    return this.#cursors.every(({ finished }) => finished)
  }

  async close(): Promise<void> {
    await this.#access.close()
    this.#cursors = []
  }

  async #advance(): Promise<void> {
    if (!this.#pending.isUnderWay) {
      const cursor = this.#nextCursor()
      if (cursor === undefined) return
      if (this.#block !== undefined) this.#putBack(this.#block.cursor)
      this.#pending.start(this.#next(cursor))
    }
    const answer = await this.#pending.take()
    if (answer !== undefined) this.#accept(answer)
  }

  #accept(answer: Answer): void {
    const { cursor } = answer
    switch (answer.kind) {
      case 'rows':
        this.#take(cursor, answer.block)
        return
      case 'end':
        cursor.scanner = undefined
        cursor.position = { snapshot: cursor.position.snapshot, skip: 0, isRead: true }
        cursor.finished = this.#options.continuous === undefined
        return
      case 'window':
        cursor.position = { snapshot: answer.until, since: cursor.position.snapshot, skip: 0, isRead: false }
        return
      case 'gone':
        cursor.finished = true
        this.#context.ports.logger.warn('a tablet is gone, with the rows that were not read of it', {
          operator: this.#context.operatorId,
          tablet: cursor.id,
        })
    }
  }

  /** The first rows of a block that is read again were emitted already. */
  #take(cursor: Cursor, block: ScanBlock): void {
    const { skip } = cursor.position
    if (block.count > skip) this.#block = { cursor, block, next: skip }
    else if (block.count > 0)
      cursor.position = { ...cursor.position, afterKey: block.lastKey, skip: skip - block.count }
  }

  #putBack(cursor: Cursor): void {
    cursor.scanner = undefined
    this.#block = undefined
  }

  /** A tablet that is being read comes before one whose changes are due. */
  #nextCursor(): Cursor | undefined {
    const readable = this.#cursors.filter(({ id, finished }) => !finished && !this.#paused.has(id))
    const unread = readable.find(({ position }) => !position.isRead)
    if (unread !== undefined || this.#options.continuous === undefined) return unread
    const now = this.#context.ports.clock.now()
    if (readable.length === 0 || now < this.#nextLookAt) return undefined
    // each round asks every tablet once: the one that was asked longest ago comes first
    const [oldest] = readable.toSorted((a, b) => (a.position.snapshot < b.position.snapshot ? -1 : 1))
    this.#nextLookAt = now + this.#options.continuous.every / readable.length
    return oldest
  }

  #next(cursor: Cursor): Promise<Answer> {
    return this.#access.ask(`reading ${this.#options.table}`, Infinity, async (client) => {
      const table = (this.#table ??= await this.#open(client))
      try {
        if (cursor.position.isRead) return await this.#window(client, table, cursor)
        cursor.scanner ??= await client.openScan(table, this.#scanOf(cursor))
        const block = await cursor.scanner.next()
        return block === undefined ? { kind: 'end', cursor } : { kind: 'rows', cursor, block }
      } catch (error) {
        cursor.scanner = undefined
        try {
          if (isUnknownTablet(error) && (await this.#isGone(client, table, cursor))) return this.#lost(cursor, error)
        } catch (other) {
          throw await whyRefused(client, table, other)
        }
        throw this.#explained(await whyRefused(client, table, error))
      }
    })
  }

  async #open(client: KuduClient): Promise<KuduTable> {
    const table = await client.openTable(this.#options.table)
    this.#columns = columnsToRead(table, this.#context.schema)
    return table
  }

  async #window(client: KuduClient, table: KuduTable, cursor: Cursor): Promise<Answer> {
    const [first] = await client.tablets(table, 'known')
    const tablet = (await client.tablets(table, 'known')).find(({ id }) => id === cursor.id) ?? first
    if (tablet === undefined) return { kind: 'gone', cursor }
    return { kind: 'window', cursor, until: await client.now(table, tablet) }
  }

  #scanOf({ id, position }: Cursor): TabletScan {
    const { snapshot, since, afterKey } = position
    const columns = this.#columns.map(({ column }) => column)
    return {
      tabletId: id,
      columns: since === undefined ? columns : [...columns, DELETED],
      snapshot,
      ...(since === undefined ? {} : { since }),
      ...(afterKey === undefined ? {} : { afterKey }),
    }
  }

  async #isGone(client: KuduClient, table: KuduTable, cursor: Cursor): Promise<boolean> {
    return !(await client.tablets(table, 'anew')).some(({ id }) => id === cursor.id)
  }

  /** Ranges of time are dropped as a routine: that ends no continuous job. */
  #lost(cursor: Cursor, cause: unknown): Answer {
    if (this.#options.continuous !== undefined) return { kind: 'gone', cursor }
    throw new MillraceError(
      'KUDU_TABLET_GONE',
      `tablet ${cursor.id} of ${this.#options.table} is gone before it was read`,
      {
        domain: 'user',
        cause,
        hint: 'A range partition or the table was dropped while the job read it. Start the job without its old state.',
      },
    )
  }

  #explained(error: unknown): unknown {
    if (!(error instanceof KuduServerError) || error.layer !== 'tablet server') return error
    if (error.code !== TABLET_SERVER.invalidSnapshot) return error
    return new MillraceError(
      'KUDU_HISTORY_GONE',
      `Kudu has forgotten the state of ${this.#options.table} that the job reads`,
      {
        domain: 'user',
        cause: error,
        hint: 'The job was away for longer than the table keeps history (kudu.table.history_max_age_sec, --tablet_history_max_age_sec, 7 days by default). Start it without its old state.',
      },
    )
  }

  #rowAt(cursor: Cursor, block: ScanBlock, index: number): Row | undefined {
    const isChange = cursor.position.since !== undefined
    if (isChange && block.cell(this.#columns.length, index) === true) {
      if (this.#options.continuous?.deletes === 'ignore') return undefined
      throw new MillraceError('KUDU_ROW_DELETED', `a row of ${this.#options.table} was deleted`, {
        domain: 'user',
        hint: 'continuous: { deletes: ignore } leaves deleted rows out.',
      })
    }
    const values: unknown[] = []
    for (let at = 0; at < this.#columns.length; at++) {
      const column = this.#columns[at]
      if (column === undefined) continue
      const cell = block.cell(at, index)
      const value = cell === undefined ? null : column.valueOf(cell)
      if (value === undefined || (value === null && !column.field.nullable)) {
        this.#refuse(column, cell)
        return undefined
      }
      values.push(value)
    }
    return new this.#rows(...values)
  }

  #refuse({ field, column }: ReadColumn, cell: Cell | undefined): void {
    const shown = cell === undefined ? 'null' : String(cell)
    this.#context.onBadRecord(
      new MillraceError(
        'RECORD_INVALID',
        `column ${column.name} is ${shown}, which the field ${field.name} cannot hold`,
        {
          domain: 'user',
        },
      ),
      `a row of ${this.#options.table}`,
      shown,
    )
  }
}

function isUnknownTablet(error: unknown): boolean {
  return (
    error instanceof KuduServerError && error.layer === 'tablet server' && error.code === TABLET_SERVER.tabletNotFound
  )
}
