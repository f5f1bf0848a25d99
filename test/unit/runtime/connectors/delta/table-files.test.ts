import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openTableFiles } from '../../../../../runtime/connectors/delta/table-files.ts'
import type { Objects } from '../../../../../runtime/ports/objects.ts'
import { quietPorts } from '../../../../harness/source-context.ts'

const dir = mkdtempSync(join(tmpdir(), 'millrace-table-files-'))
afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

test('a file of the log that is cleaned up while it is being read counts as one that is not there', async () => {
  const objects = quietPorts().openObjects(dir)
  const path = '_delta_log/00000000000000000000.json'
  await objects.put(path, Buffer.from('{}'))
  const read: Objects['read'] = async (...args) => {
    await objects.delete(path)
    return objects.read(...args)
  }
  const openObjects = (): Objects =>
    new Proxy(objects, { get: (of, name: keyof Objects) => (name === 'read' ? read : of[name].bind(of)) })
  expect(await openTableFiles({ openObjects }, dir, dir).read(path)).toBeUndefined()
})
