import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import { kuduConnector } from '../../runtime/connectors/kudu/connector.ts'
import { connectKudu } from '../../runtime/connectors/kudu/real/client.ts'
import type { SinkWriter } from '../../runtime/connectors/sink.ts'
import { RowBatch } from '../../runtime/memory/batch.ts'
import type { Schema } from '../../runtime/model/schema.ts'
import { type KuduBed, kuduBedMissing, type KuduOptions, startKudu } from '../harness/beds/kudu-bed.ts'
import { createKuduTable, scanKuduTable } from '../harness/beds/kudu-tables.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { sinkContext } from '../harness/sink-context.ts'

const why = kuduBedMissing()
const LONG_MS = 300_000
const BATCH_ROWS = 1000
const SCHEMA: Schema = {
  fields: [
    { name: 'k', type: 'long', nullable: false },
    { name: 'v', type: 'long', nullable: false },
  ],
}
const Row = compileRowClass(SCHEMA)

describe.skipIf(why !== undefined)(`Kudu clusters${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const ends: (() => Promise<void>)[] = []

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  async function clusterOf(options: Omit<KuduOptions, 'dir'>, replicas: number): Promise<KuduBed> {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-kudu-cluster-'))
    const kudu = await startKudu({ ...options, dir })
    ends.push(async () => {
      await kudu.stop()
      rmSync(dir, { recursive: true, force: true })
    })
    await createKuduTable(kudu, 'numbers', {
      columns: { k: 'INT64', v: 'INT64' },
      keys: ['k'],
      hash: [{ columns: ['k'], num_buckets: 4 }],
      replicas,
    })
    return kudu
  }

  async function writerTo(kudu: KuduBed): Promise<SinkWriter> {
    const sink = kuduConnector(connectKudu).sink({ masters: kudu.masters, table: 'numbers' })
    const writer = sink.writer(sinkContext('cluster', SCHEMA))
    await writer.open([])
    ends.push(() => writer.close())
    return writer
  }

  function numbers(from: number, count: number): RowBatch {
    return new RowBatch(Array.from({ length: count }, (_, index) => new Row(from + index, (from + index) * 3)))
  }

  function written(count: number): string[] {
    return Array.from({ length: count }, (_, k) => `(int64 k=${k}, int64 v=${k * 3})`).sort()
  }

  test(
    'when each server of three is killed in turn, every leader among them, the rows are what was written',
    async () => {
      const kudu = await clusterOf({ masters: 3, tabletServers: 3 }, 3)
      const writer = await writerTo(kudu)
      let rows = 0
      const write = async (): Promise<void> => {
        for (const until = rows + 50_000; rows < until; rows += BATCH_ROWS)
          await writer.write(numbers(rows, BATCH_ROWS))
        await writer.prepareCommit(1)
      }
      await write()
      for (const [index, server] of kudu.tabletServers.entries()) {
        const master = kudu.masterDaemons[index]
        await server.stop()
        await master?.stop()
        await write()
        await server.start()
        await master?.start()
      }
      await write()
      expect(await scanKuduTable(kudu, 'numbers')).toEqual(written(rows))
    },
    LONG_MS,
  )

  test(
    'when servers check rights, a writer goes on behind the end of its first token',
    async () => {
      const validSeconds = 2
      const kudu = await clusterOf(
        {
          tabletServerFlags: ['--tserver_enforce_access_control=true'],
          masterFlags: [`--authz_token_validity_seconds=${validSeconds}`],
        },
        1,
      )
      const writer = await writerTo(kudu)
      // Kudu counts whole seconds, and a token is good in its last one
      const ended = Date.now() + (validSeconds + 2) * 1000
      await writer.write(numbers(0, 10))
      await writer.prepareCommit(1)
      await waitFor('the first token has expired', LONG_MS, async () => Date.now() > ended)
      await writer.write(numbers(10, 10))
      await writer.prepareCommit(2)
      expect(await scanKuduTable(kudu, 'numbers')).toEqual(written(20))
    },
    LONG_MS,
  )
})
