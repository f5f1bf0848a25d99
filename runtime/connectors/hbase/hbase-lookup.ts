import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Table, TableRow } from '../../ports/table.ts'
import type { TableContext } from '../table.ts'
import { cellCoder, type CellCoder } from './cells.ts'
import type { ReadCell } from './cell-set.ts'
import type { HbaseTableOptions } from './declaration.ts'
import { checkLookup, columnsToRead, keyNames, type FieldColumn } from './declared/fields.ts'
import { familyOf, HbaseGateway } from './gateway.ts'
import { keyWriter, type KeyOf } from './row-key.ts'
import { RowQuestions } from './row-questions.ts'

interface ReadColumn extends FieldColumn {
  /** In base64. */
  readonly answered: string
  readonly coder: CellCoder
}

/** Rows of an HBase table by their key, as the region servers have them now. */
export class HbaseLookup implements Table {
  readonly #table: string
  readonly #gateway: HbaseGateway
  readonly #questions: RowQuestions
  readonly #columns: readonly ReadColumn[]
  readonly #keyOf: KeyOf
  /** Where the parts of the key stand among the values of a question. */
  readonly #places: readonly number[]

  private constructor({ key, output, ports }: TableContext, options: HbaseTableOptions, gateway: HbaseGateway) {
    const { rowKey, encoding, table } = options
    this.#table = table
    this.#gateway = gateway
    this.#columns = columnsToRead(options, output).map(({ column, field }) => ({
      column,
      field,
      answered: Buffer.from(column).toString('base64'),
      coder: cellCoder(field, encoding),
    }))
    this.#places = keyNames(rowKey).map((name) => key.findIndex(({ column }) => column === name))
    const fields = this.#places.flatMap((place) => key[place]?.field ?? [])
    this.#keyOf = keyWriter(fields, typeof rowKey === 'string' ? 'field' : 'list', encoding)
    const names = this.#columns.map(({ column }) => column)
    this.#questions = new RowQuestions(ports.clock, table, (keys) => gateway.get(keys, names))
  }

  /** As TableConnector.open. */
  static async open(context: TableContext, options: HbaseTableOptions): Promise<HbaseLookup> {
    const key = context.key.map(({ column, field }) => ({ ...field, name: column }))
    const [problem] = checkLookup(options, key, { fields: context.output })
    if (problem !== undefined)
      throw new MillraceError('HBASE_LOOKUP_INVALID', `${problem.path}: ${problem.message}`, { domain: 'user' })
    const gateway = new HbaseGateway(options, context)
    const lookup = new HbaseLookup(context, options, gateway)
    try {
      await gateway.open(lookup.#columns.map(({ column }) => familyOf(column)))
      return lookup
    } catch (error) {
      gateway.close()
      throw error
    }
  }

  async find(values: readonly unknown[], signal: AbortSignal): Promise<readonly TableRow[]> {
    const key = this.#keyOf(this.#places.map((place) => values[place]))
    // no row can have it
    if ('why' in key) return []
    const cells = await this.#questions.ask(key.bytes.toString('base64'), signal)
    return cells === undefined ? [] : [this.#rowOf(cells)]
  }

  async close(): Promise<void> {
    this.#gateway.close()
  }

  #rowOf(cells: ReadonlyMap<string, ReadCell>): TableRow {
    return Object.fromEntries(
      this.#columns.map(({ column, answered, field, coder }) => {
        const cell = cells.get(answered)
        if (cell === undefined) return [field.name, null]
        const bytes = Buffer.from(cell.value, 'base64')
        const value = coder.read(bytes)
        if (value !== undefined) return [field.name, value]
        throw new MillraceError(
          'VALUE_INVALID',
          `the cell ${column} of ${this.#table} is 0x${clipped(bytes.subarray(0, 64).toString('hex'))}, which the field ${field.name} cannot hold`,
          { domain: 'user' },
        )
      }),
    )
  }
}
