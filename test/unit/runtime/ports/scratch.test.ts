import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openRealScratchFile } from '../../../../runtime/ports/real/scratch.ts'
import { VirtualScratch } from '../../../../runtime/ports/virtual/scratch.ts'

test.each([
  ['real', (folder: string) => openRealScratchFile(folder)],
  ['virtual', () => new VirtualScratch().open()],
] as const)('a %s scratch file gives back what stands at a place, and leaves nothing in its folder', (_, open) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-scratch-'))
  const file = open(join(folder, 'made', 'as needed'))
  file.write(Buffer.from('behind'), 10)
  file.write(Buffer.from('before'), 0)
  file.write(Buffer.from('-'), 12)
  const into = Buffer.alloc(5)
  file.read(into, 10)
  expect(into.toString()).toBe('be-in')
  expect(() => {
    file.read(into, 12)
  }).toThrow('bytes')
  expect(readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())).toEqual([])
  file.close()
  expect(() => {
    file.read(into, 10)
  }).toThrow()
  rmSync(folder, { recursive: true })
})

test('a virtual disk that is full refuses what does not fit, and takes it when a file has gone', () => {
  const disk = new VirtualScratch(100)
  const [one, other] = [disk.open(), disk.open()]
  one.write(new Uint8Array(90), 0)
  expect(() => {
    other.write(new Uint8Array(20), 0)
  }).toThrow('ENOSPC')
  one.close()
  other.write(new Uint8Array(20), 0)
  expect(disk.usedBytes).toBe(20)
})
