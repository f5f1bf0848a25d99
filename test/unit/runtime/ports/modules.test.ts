import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { NodeModules } from '../../../../runtime/ports/real/modules.ts'

describe('modules of the user', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-modules-'))
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const loader = new NodeModules(folder)

  test('a path is taken from the folder of the job', async () => {
    writeFileSync(join(folder, 'own.mjs'), 'export const twice = (n) => 2 * n\n')
    const { twice } = (await loader.load('own', { kind: 'path', path: './own.mjs' }, folder)) as {
      twice(n: number): number
    }
    expect(twice(21)).toBe(42)
  })

  test.each([
    [{ kind: 'path', path: './no.mjs' } as const, 'no.mjs', 'beside the job'],
    [{ kind: 'configMap', name: 'fs', key: 'f.mjs' } as const, join('own', 'f.mjs'), 'in a cluster only'],
    [{ kind: 'image', path: '/no/such/f.mjs' } as const, '/no/such/f.mjs', 'in the image'],
  ])('%j that is not there is named with where it was looked for, and what to do', async (source, file, hint) => {
    await expect(loader.load('own', source, folder)).rejects.toMatchObject({
      code: 'MODULE_UNAVAILABLE',
      domain: 'user',
      message: expect.stringContaining(file),
      hint: expect.stringContaining(hint),
    })
  })

  test('one that throws while it is loaded is refused with what it threw', async () => {
    writeFileSync(join(folder, 'throws.mjs'), "throw new Error('no luck')\n")
    await expect(loader.load('throws', { kind: 'path', path: 'throws.mjs' }, folder)).rejects.toMatchObject({
      code: 'MODULE_UNAVAILABLE',
      cause: { message: 'no luck' },
    })
  })
})
