import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { installKernel, uninstallKernel } from '../../../../cli/kernel/kernelspec.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-kernelspec-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})
const placeOf = (name: string) => ({ kind: 'prefix' as const, prefix: join(folder, name) })

test('when a kernel is installed twice and uninstalled, nothing of it is left', () => {
  const place = placeOf('twice')
  const found = installKernel(place)
  expect(installKernel(place)).toBe(found)
  const spec = JSON.parse(readFileSync(join(found, 'kernel.json'), 'utf8')) as { argv: string[] }
  expect(spec.argv.slice(2)).toEqual(['kernel', 'start', '--connection-file', '{connection_file}'])
  expect(existsSync(spec.argv[1] ?? '')).toBe(true)
  expect(uninstallKernel(place)).toBe(found)
  expect(existsSync(found)).toBe(false)
  expect(() => uninstallKernel(place)).toThrow(expect.objectContaining({ code: 'KERNELSPEC_MISSING' }))
})

test.each([
  ['another program', '{"argv": ["other"]}'],
  ['somebody who made a mistake in it', '{"argv": ['],
])('when a kernel of this name was written by %s, it is neither replaced nor removed', (name, text) => {
  const place = placeOf(name)
  const own = join(place.prefix, 'share', 'jupyter', 'kernels', 'millrace')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'kernel.json'), text)
  for (const act of [installKernel, uninstallKernel])
    expect(() => act(place)).toThrow(expect.objectContaining({ code: 'KERNELSPEC_FOREIGN' }))
  expect(readFileSync(join(own, 'kernel.json'), 'utf8')).toBe(text)
})
