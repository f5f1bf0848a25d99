import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { writeDurably } from '../../../../runtime/ports/real/durable-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-durable-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const bytes = new TextEncoder().encode('x')

test('folders above a file are made, by many at once', async () => {
  const paths = Array.from({ length: 10 }, (_, n) => join(folder, 'a', 'b', `c${n % 2}`, `d${n}`))
  await Promise.all(paths.map((path) => writeDurably(path, bytes)))
  expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(paths.map(() => 'x'))
})

test('where no folder can be made the reason comes, and at once', async () => {
  writeFileSync(join(folder, 'file'), 'x')
  await expect(writeDurably(join(folder, 'file', 'a', 'b'), bytes)).rejects.toMatchObject({ code: 'ENOTDIR' })
  if (process.platform === 'linux')
    await expect(writeDurably('/proc/millrace/a/b', bytes)).rejects.toMatchObject({ code: 'ENOENT' })
})
