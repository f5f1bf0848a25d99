import type { RowScanner } from '../../codegen/contracts.ts'
import { compileJsonScanner } from '../../codegen/json/json-scanner.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Table } from '../../ports/table.ts'
import type { TableContext } from '../table.ts'
import { columnsOf } from './declaration.ts'

/** The rows of the job by their key, read as JSON records are. Throws for a value that is not of its type. */
export function valuesTable(values: readonly unknown[], { key, output }: TableContext): Table {
  const schema = columnsOf(
    key.map(({ column, field }) => ({ ...field, name: column })),
    output,
  )
  const scanner = compileJsonScanner(schema, compileRowClass(schema))
  const rows = new Map<string, Row[]>()
  for (const [index, value] of values.entries()) {
    const row = rowOf(scanner, value, index)
    const at = keyText(key.map(({ column }) => row[column]))
    const others = rows.get(at)
    if (others === undefined) rows.set(at, [row])
    else others.push(row)
  }
  return {
    find: async (wanted) => (rows.get(keyText(wanted)) ?? []).slice(0, 2),
    close: async () => undefined,
  }
}

function rowOf(scanner: RowScanner, value: unknown, index: number): Row {
  const bytes = Buffer.from(JSON.stringify(value))
  try {
    return scanner.row(bytes, 0, bytes.length)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MillraceError('VALUE_INVALID', `values[${index}]: ${reason}`, { domain: 'user', cause })
  }
}

function keyText(values: readonly unknown[]): string {
  return JSON.stringify(values)
}
