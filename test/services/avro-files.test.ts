import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { linesOf, LocalRuns } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const why = pythonBedMissing()
const COUNT = 30_000
const START = Date.parse('2026-01-01T00:00:00Z')

describe.skipIf(why !== undefined)(
  `files of Avro beside fastavro${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-avro-'))
    const runs = new LocalRuns(dir)
    let written: { path: string; blocks: number }[] = []

    beforeAll(async () => {
      const codecs = ['null', 'deflate', 'snappy', 'zstandard']
      written = (await runPython('write_avro.py', [dir, String(COUNT), ...codecs])) as typeof written
    }, 120_000)

    afterAll(() => {
      rmSync(dir, { recursive: true, force: true })
    })

    const schema = { id: 'long', name: 'string?', price: 'decimal(12,2)', at: 'timestamp', tags: 'array<string>' }

    interface Sale {
      id: number
      name: string | null
      price: string
      at: number
      tags: string[]
    }

    /** As write_avro.py makes them. */
    function sale(n: number): Sale {
      const units = n * 7 - 300
      const digits = String(Math.abs(units)).padStart(3, '0')
      return {
        id: n,
        name: n % 5 === 0 ? null : 'é\n'.repeat(n % 40),
        price: `${units < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`,
        at: START + n,
        tags: Array.from({ length: n % 3 }, () => 'a'),
      }
    }

    test('what fastavro writes with each codec is read to the last digit', async () => {
      for (const { path, blocks } of written) {
        expect(blocks).toBeGreaterThan(10)
        const out = join(dir, `out-${blocks}-${path.length}`)
        const graph = [
          { id: 'in', source: { file: { path, format: 'avro' } }, schema },
          { id: 'out', from: 'in', sink: { file: { path: out, timestampFormat: 'epochMillis' } } },
        ]
        const { code, stderr } = await runs.run(graph)
        expect(code, stderr).toBe(0)
        const rows = linesOf(out).map((line) => JSON.parse(line, keepNumbers) as Sale)
        expect(rows.toSorted((a, b) => a.id - b.id)).toEqual(Array.from({ length: COUNT }, (_, n) => sale(n)))
      }
    }, 200_000)

    test('the schema that millrace infer prints of them is the one they were written with', async () => {
      const [first] = written
      const { code, stdout, stderr } = await startMillrace('infer', first?.path ?? '', '-o', 'json').ended
      expect(code, stderr).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({
        records: 10_000,
        schema: { ...schema, unread: 'map<double>' },
        eventTime: { field: 'at', disorderMs: 0 },
        broken: 0,
      })
    })

    test('what a job writes, fastavro reads to the last digit', async () => {
      const out = join(dir, 'written')
      const [first] = written
      const graph = [
        { id: 'in', source: { file: { path: first?.path, format: 'avro' } }, schema },
        { id: 'out', from: 'in', sink: { file: { path: out, format: 'avro' } } },
      ]
      const { code, stderr } = await runs.run(graph)
      expect(code, stderr).toBe(0)
      const files = readdirSync(out).filter((name) => !name.startsWith('.'))
      expect(files.every((name) => name.endsWith('.avro') && readFileSync(join(out, name)).length > 0)).toBe(true)
      const judged = (await runPython(
        'read_avro.py',
        files.map((name) => join(out, name)),
      )) as { codec: string; rows: Record<string, string | null>[] }[]
      expect(new Set(judged.map(({ codec }) => codec))).toEqual(new Set(['deflate']))
      const rows = judged.flatMap((file) => file.rows).toSorted((a, b) => Number(a['id']) - Number(b['id']))
      expect(rows).toEqual(
        Array.from({ length: COUNT }, (_, n) => {
          const { id, name, price, at, tags } = sale(n)
          return { id: String(id), name, price, at: String(at * 1000), tags: `[${tags.map(() => "'a'").join(', ')}]` }
        }),
      )
    }, 200_000)
  },
)

/** JSON has decimals as numbers. */
function keepNumbers(this: unknown, key: string, value: unknown, context?: { source?: string }): unknown {
  return key === 'price' && context?.source !== undefined ? context.source.replaceAll('"', '') : value
}
