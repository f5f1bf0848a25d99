import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { parquetMetadata } from 'hyparquet'
import { MillraceError } from '../runtime/model/errors.ts'
import { recordsOf } from '../runtime/formats/avro-container.ts'
import type { SourceVerb } from '../runtime/graph/verbs/source.ts'
import { realFiles } from '../runtime/ports/real/files.ts'

/** What a source gives in the simulation: its files, and how many rows that is. */
export interface SimulatedInput {
  files: ReadonlyMap<string, Uint8Array>
  rows: number
}

/**
 * Reads the files of a file source, of those with lines the first `limit` of each. A Nexmark source brings its rows.
 * Throws FILE_MISSING when no file is there.
 */
export async function readInput(
  { connector, options }: SourceVerb,
  baseDir: string,
  limit: number,
): Promise<SimulatedInput> {
  if (connector === 'nexmark') return { files: new Map(), rows: Math.min(limit, Number(options['events'])) }
  const given = options['paths'] ?? options['path']
  const files = new Map<string, Uint8Array>()
  let rows = 0
  for (const written of Array.isArray(given) ? given : [given]) {
    const pattern = isAbsolute(String(written)) ? String(written) : join(baseDir, String(written))
    const paths = await realFiles.glob(pattern)
    if (paths.length === 0)
      throw new MillraceError('FILE_MISSING', `no file matches ${JSON.stringify(pattern)}`, {
        domain: 'user',
        hint: 'paths count from the folder of the job file',
      })
    for (const path of paths) {
      const bytes = readFileSync(path)
      const { kept, rows: more } =
        options['format'] === 'parquet'
          ? { kept: bytes, rows: rowsOfParquet(bytes) }
          : options['format'] === 'avro'
            ? { kept: bytes, rows: recordsOf(bytes) }
            : firstLines(bytes, limit)
      files.set(path, kept)
      rows += more
    }
  }
  return { files, rows }
}

function rowsOfParquet(bytes: Uint8Array): number {
  return Number(parquetMetadata(new Uint8Array(bytes).buffer).num_rows)
}

function firstLines(bytes: Uint8Array, limit: number): { kept: Uint8Array; rows: number } {
  let rows = 0
  let end = 0
  while (rows < limit && end < bytes.length) {
    const at = bytes.indexOf(0x0a, end)
    end = at < 0 ? bytes.length : at + 1
    rows += 1
  }
  return { kept: bytes.subarray(0, end), rows }
}
