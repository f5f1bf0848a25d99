import { expect, test } from 'vitest'
import { imageSbom, packageFolder } from '../../../scripts/image-sbom.ts'

const library = (ref: string): { 'bom-ref': string; type: string; name: string } => ({
  'bom-ref': ref,
  type: 'library',
  name: ref.slice(0, ref.lastIndexOf('@')),
})
const installed = {
  serialNumber: 'urn:uuid:1',
  metadata: { timestamp: '2026-01-01', component: library('millrace@1.0.0') },
  components: [library('acorn@8.0.0'), library('commander@15.0.0'), library('yaml@2.0.0')],
  dependencies: [
    { ref: 'millrace@1.0.0', dependsOn: ['acorn@8.0.0', 'commander@15.0.0', 'yaml@2.0.0'] },
    { ref: 'acorn@8.0.0', dependsOn: [] },
    { ref: 'yaml@2.0.0', dependsOn: ['commander@15.0.0'] },
  ],
}

test('the bill of materials names what the bundles contain and Node, and is the same whenever it is made', () => {
  expect(imageSbom(installed, new Set(['acorn@8.0.0', 'yaml@2.0.0']), '26.1.0')).toEqual({
    metadata: { component: { ...library('millrace@1.0.0'), type: 'container' } },
    components: [
      expect.objectContaining({ name: 'node', version: '26.1.0' }),
      library('acorn@8.0.0'),
      library('yaml@2.0.0'),
    ],
    dependencies: [
      { ref: 'millrace@1.0.0', dependsOn: ['node@26.1.0', 'acorn@8.0.0', 'yaml@2.0.0'] },
      { ref: 'acorn@8.0.0', dependsOn: [] },
      { ref: 'yaml@2.0.0', dependsOn: [] },
    ],
  })
})

test('a bundled package that npm does not list is an error, not left out', () => {
  expect(() => imageSbom(installed, new Set(['left-pad@1.0.0']), '26.1.0')).toThrow(/contain left-pad@1\.0\.0/)
})

test.each([
  ['runtime/main.ts', undefined],
  ['node_modules/acorn/dist/acorn.mjs', 'node_modules/acorn'],
  ['node_modules/@a/b/node_modules/c/index.js', 'node_modules/@a/b/node_modules/c'],
  ['../../node_modules/@a/b/index.js', '../../node_modules/@a/b'],
])('the package of %s is %s', (file, folder) => {
  expect(packageFolder(file)).toBe(folder)
})
