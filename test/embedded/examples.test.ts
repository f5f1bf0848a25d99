import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readJobFile } from '../../runtime/front/job-file.ts'
import { rowsOf } from '../harness/kept-savepoints.ts'
import { startMillraceIn } from '../harness/processes.ts'
import { ROOT } from '../harness/source-files.ts'

interface Sink {
  id: string
  from?: unknown
  sink?: { file: { path: string } } | 'console'
}

// A job that ends with nothing to show for it is not an example: its filter may name what the data does not have.
describe('examples of verbs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-examples-'))
  const verbs = join(folder, 'examples', 'verbs')
  cpSync(join(ROOT, 'examples'), join(folder, 'examples'), {
    recursive: true,
    filter: (path) => !path.includes('.millrace'),
  })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  test.each(readdirSync(join(ROOT, 'examples', 'verbs')).filter((file) => file.endsWith('.yaml')))(
    'when %s is run as it stands, every sink gets rows',
    async (file) => {
      const { spec } = readJobFile(readFileSync(join(verbs, file), 'utf8')) as { spec: { graph: Sink[] } }
      const { code, stdout, stderr } = await startMillraceIn(verbs, 'run', file, '--in-process').ended
      expect(code, stderr).toBe(0)
      const empty = spec.graph.filter(({ from, sink }) => {
        // each of a file's parts is in order, so nothing comes late
        if (sink === undefined || String(from).endsWith('.late')) return false
        if (sink === 'console') return stdout === ''
        const path = join(verbs, sink.file.path)
        return !existsSync(path) || rowsOf(path).length === 0
      })
      expect(empty.map(({ id }) => id)).toEqual([])
    },
  )
})
