import type { KeyColumns, PartitionValues } from './key-columns.ts'
import type { TableFiles } from './table-files.ts'
import { tableRows } from './table-rows.ts'
import type { TouchedKeys } from './touched-keys.ts'

/** The numbers of the rows of a file that newer rows replace, and how many rows it has. */
export interface ReplacedRows {
  readonly replaced: ReadonlySet<number>
  readonly count: number
}

/** Reads the columns of the key only. Rejects as tableRows does. */
export async function replacedRows(
  { files, breathe }: { readonly files: TableFiles; breathe(): Promise<void> },
  touched: TouchedKeys,
  file: { readonly path: string; readonly partitionValues: PartitionValues; readonly generation: number },
  keys: KeyColumns,
): Promise<ReplacedRows> {
  const { path, partitionValues, generation } = file
  const replaced = new Set<number>()
  let count = 0
  for await (const rows of tableRows(files, path, { schema: keys.schema, timestamps: 'microseconds', breathe }))
    for (const row of rows) {
      if (touched.replaces(generation, keys.valuesOf(partitionValues, row))) replaced.add(count)
      count++
    }
  return { replaced, count }
}
