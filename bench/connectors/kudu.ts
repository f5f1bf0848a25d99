import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import { kuduConnector } from '../../runtime/connectors/kudu/connector.ts'
import { connectKudu } from '../../runtime/connectors/kudu/real/client.ts'
import { RowBatch } from '../../runtime/memory/batch.ts'
import type { Schema } from '../../runtime/model/schema.ts'
import { startKudu } from '../../test/harness/beds/kudu-bed.ts'
import { createKuduTable } from '../../test/harness/beds/kudu-tables.ts'
import { sinkContext } from '../../test/harness/sink-context.ts'
import { sourceContext } from '../../test/harness/source-context.ts'
import { figureOf, type Figure } from '../figure.ts'
import { measured, type Measured } from './measured.ts'

const ROWS = 1_000_000
const BATCH_ROWS = 1000
const COLUMNS = { k: 'INT64', i: 'INT32?', s: 'STRING?', d: 'DOUBLE?', t: 'UNIXTIME_MICROS?' }
const SCHEMA: Schema = {
  fields: [
    { name: 'k', type: 'long', nullable: false },
    { name: 'i', type: 'long', nullable: true },
    { name: 's', type: 'string', nullable: true },
    { name: 'd', type: 'double', nullable: true },
    { name: 't', type: 'timestamp', nullable: true },
  ],
}

/**
 * A million rows of five columns into a table of four tablets and back, by connector and client alone, beside a Kudu of
 * one tablet server on the same machine. Rows a second count the waits for Kudu; CPU is that of this process, and the
 * making of the rows is in it.
 */
export async function kuduFigures(rounds: number): Promise<Figure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-kudu-'))
  const bed = await startKudu({ dir })
  try {
    await createKuduTable(bed, 'bench', {
      columns: COLUMNS,
      keys: ['k'],
      hash: [{ columns: ['k'], num_buckets: 4 }],
    })
    const at = { masters: bed.masters, table: 'bench' }
    const upserts: Measured[] = []
    const scans: Measured[] = []
    for (let round = 0; round < rounds; round++) upserts.push(await measured(ROWS, () => upsertAll(at)))
    for (let round = 0; round < rounds; round++) scans.push(await measured(ROWS, () => scanAll(at)))
    return [
      figureOf(
        'Kudu, upserts of 5 columns',
        'rows/s',
        upserts.map(({ perSecond }) => perSecond),
        { target: 700_000, atLeast: true },
      ),
      figureOf(
        'Kudu, upserts of 5 columns, CPU',
        'ns/row',
        upserts.map(({ cpuNs }) => cpuNs),
      ),
      figureOf(
        'Kudu, scan of 5 columns',
        'rows/s',
        scans.map(({ perSecond }) => perSecond),
      ),
      figureOf(
        'Kudu, scan of 5 columns, CPU',
        'ns/row',
        scans.map(({ cpuNs }) => cpuNs),
      ),
    ]
  } finally {
    await bed.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function upsertAll(at: { masters: string; table: string }): Promise<void> {
  const writer = kuduConnector(connectKudu).sink(at).writer(sinkContext('bench', SCHEMA))
  const Row = compileRowClass(SCHEMA)
  await writer.open([])
  for (let from = 0; from < ROWS; from += BATCH_ROWS) {
    const rows = Array.from({ length: BATCH_ROWS }, (_, index) => {
      const n = from + index
      return new Row(n, n, `name ${n % 1000}`, n / 7, 1_700_000_000_000 + n)
    })
    await writer.write(new RowBatch(rows))
  }
  await writer.prepareCommit(1)
  await writer.close()
}

async function scanAll(at: { masters: string; table: string }): Promise<void> {
  const source = kuduConnector(connectKudu).source(at)
  const context = sourceContext({ verb: { connector: 'kudu' }, schema: SCHEMA, baseDir: '.' })
  const enumerator = source.enumerator(context)
  const reader = source.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
  await reader.open(await enumerator.discover([], 1))
  await enumerator.close()
  let rows = 0
  while (!reader.isFinished()) rows += (await reader.poll(4096))?.batch.count ?? 0
  await reader.close()
  if (rows !== ROWS) throw new Error(`read ${rows} rows of ${ROWS}`)
}
