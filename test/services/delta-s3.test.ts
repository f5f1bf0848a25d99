import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connector } from '../../runtime/connectors/delta/connector.ts'
import type { SinkWriter } from '../../runtime/connectors/sink.ts'
import { RowBatch } from '../../runtime/memory/batch.ts'
import { byteHttp } from '../../runtime/ports/real/byte-http.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { realFiles } from '../../runtime/ports/real/files.ts'
import { openObjects } from '../../runtime/ports/real/open-objects.ts'
import { realRng } from '../../runtime/ports/real/rng.ts'
import { secretFiles } from '../../runtime/ports/reached-files.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { type S3Bed, s3BedMissing, startS3 } from '../harness/beds/s3-bed.ts'
import { expectExactRestores, readAll } from '../harness/connector-conformance.ts'
import { deltaSinkContext } from '../harness/delta-table.ts'
import { schemaOf } from '../harness/formats.ts'
import { quietPorts, sourceContext } from '../harness/source-context.ts'

const why = s3BedMissing() ?? pythonBedMissing()
const SCHEMA = schemaOf({ id: 'long' })
const COMMITS = 10

describe.skipIf(why !== undefined)(`a Delta table in S3${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-delta-s3-'))
  let s3: S3Bed

  beforeAll(async () => {
    s3 = await startS3({ dir, buckets: ['one'] })
  }, 300_000)
  afterAll(async () => {
    await s3?.stop()
    rmSync(dir, { recursive: true })
  })

  const ports = () => ({
    ...quietPorts(),
    openObjects: (url: string) =>
      openObjects(url, {
        clock: realClock,
        rng: realRng,
        files: realFiles,
        secretFiles: secretFiles(realFiles, undefined),
        send: byteHttp(undefined),
        env: { AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey },
      }),
  })
  const path = (): string => `s3://one/table?endpoint=${encodeURIComponent(s3.endpoint)}`

  async function opened(slot: number, { schema = SCHEMA, options = {} } = {}): Promise<SinkWriter> {
    const context = {
      ...deltaSinkContext(dir, schema),
      jobUid: `job-${slot}`,
      ports: ports(),
      slot,
      attempt: 1,
      reportTrouble: () => undefined,
    }
    const writer = connector.sink({ path: path(), ...options }).writer(context)
    await writer.open([])
    return writer
  }

  test('when four writers race, and the server is killed in between, delta-rs and the source read every row once', async () => {
    const writers = await Promise.all([0, 1, 2, 3].map((slot) => opened(slot)))
    const race = async (writer: SinkWriter, slot: number): Promise<void> => {
      for (let checkpoint = 1; checkpoint <= COMMITS; checkpoint++) {
        await writer.write(new RowBatch([{ id: slot * COMMITS + checkpoint }]))
        await writer.commit?.(await writer.prepareCommit(checkpoint))
        if (slot === 0 && checkpoint === 3) {
          await s3.kill()
          await s3.start()
        }
      }
    }
    await Promise.all(writers.map(race))
    const ids = Array.from({ length: 4 * COMMITS }, (_, index) => index + 1)
    // the files of the server: not our client
    const [table] = (await runPython('read_delta.py', [join(s3.folderOf('one'), 'table')])) as {
      version: number
      rows: { id: string }[]
    }[]
    expect(table?.rows.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(ids)
    expect(table?.version).toBe(4 * COMMITS)
    const source = {
      connector: connector.source({ path: path() }),
      context: sourceContext({ verb: { connector: 'delta' }, schema: SCHEMA, baseDir: dir, ports: ports() }),
      maxRows: 7,
      interruptions: 2,
    }
    expect(await readAll(source)).toEqual(ids.map((id) => JSON.stringify({ id })).sort())
    await expectExactRestores(source, 2, 1)
  })

  test('when two jobs replace the same keys, and the server is killed in between, each key has one row', async () => {
    const schema = schemaOf({ id: 'long', name: 'string' })
    const options = { path: path().replace('/table', '/upserts'), mode: 'upsert', key: 'id' }
    const writers = await Promise.all([0, 1].map((slot) => opened(slot, { schema, options })))
    await Promise.all(
      writers.map(async (writer, slot) => {
        for (let checkpoint = 1; checkpoint <= COMMITS; checkpoint++) {
          const rows = Array.from({ length: 5 }, (_, id) => ({ id, name: `${slot} ${checkpoint}` }))
          await writer.write(new RowBatch(rows))
          await writer.commit?.(await writer.prepareCommit(checkpoint))
          if (slot === 0 && checkpoint === 3) {
            await s3.kill()
            await s3.start()
          }
        }
      }),
    )
    const [table] = (await runPython('read_delta.py', [join(s3.folderOf('one'), 'upserts')])) as {
      version: number
      rows: { id: string; name: string }[]
    }[]
    expect(table?.rows.map(({ id }) => Number(id)).sort()).toEqual([0, 1, 2, 3, 4])
    expect(new Set(table?.rows.map(({ name }) => name)).size).toBe(1)
    expect(table?.rows[0]?.name).toMatch(new RegExp(`^[01] ${COMMITS}$`))
    expect(table?.version).toBe(2 * COMMITS)
  })
})
