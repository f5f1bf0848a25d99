import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, sourceFiles } from '../harness/source-files.ts'
import type { SourceFile } from '../harness/source-files.ts'

/** The files directly in runtime/, which put the parts together. */
const TOP = 'main'

/**
 * The layers of the runtime, bottom to top. A folder may import those of lower rows and itself; folders of one row
 * do not import each other.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['model'],
  ['ports'],
  ['telemetry'],
  ['expressions'],
  ['graph'],
  ['plan'],
  ['front'],
  ['memory'],
  ['codegen'],
  ['formats'],
  ['state', 'exchange', 'checkpoint', 'control'],
  ['operators', 'connectors'],
  ['task'],
  ['worker', 'coordinator'],
  [TOP],
]
const OPERATOR_MAY_USE = ['model', 'ports', 'expressions', 'graph', 'plan', 'front', 'control']

const heightOf = (layer: string): number => LAYERS.findIndex((row) => row.includes(layer))
const layerOf = (path: string): string => {
  const [, folder = '', file] = path.split('/')
  return file === undefined ? TOP : folder
}

/** Pairs of a file and the project file it imports. */
function edges(files: readonly SourceFile[]): { readonly from: string; readonly to: string }[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((target) => target.startsWith('.'))
      .map((target) => ({ from: file.path, to: posix.join(posix.dirname(file.path), target) })),
  )
}

function breaksLayers({ from, to }: { readonly from: string; readonly to: string }): boolean {
  if (!to.startsWith('runtime/')) return true
  if (layerOf(from) === layerOf(to)) return false
  return heightOf(layerOf(to)) >= heightOf(layerOf(from))
}

describe('imports', () => {
  const runtime = edges(sourceFiles('runtime'))

  test('every folder of the runtime has its place in the layers', () => {
    const folders = new Set(sourceFiles('runtime').map((file) => layerOf(file.path)))
    expect([...folders].filter((folder) => heightOf(folder) < 0)).toEqual([])
  })

  test('the runtime imports downwards only, and nothing outside of itself', () => {
    expect(runtime.filter(breaksLayers)).toEqual([])
  })

  test('the operator imports of the runtime only what both must agree on', () => {
    // Checking a spec means asking each connector about its options; only the wiring knows which connectors there are.
    const wrong = edges(sourceFiles('operator'))
      .filter(({ from, to }) => !(from === 'operator/main.ts' && to === 'runtime/builtin-connectors.ts'))
      .filter(
        ({ to }) =>
          !to.startsWith('operator/') && !(to.startsWith('runtime/') && OPERATOR_MAY_USE.includes(layerOf(to))),
      )
    expect(wrong).toEqual([])
  })

  test('nothing the operator is made of can load code of a user', () => {
    const all = [...runtime, ...edges(sourceFiles('operator'))]
    const reached = new Set(['operator/main.ts'])
    for (const path of reached) for (const { from, to } of all) if (from === path) reached.add(to)
    expect(reached.size).toBeGreaterThan(50)
    expect(
      [...reached].filter(
        (path) =>
          path.startsWith('runtime/front/typescript/') ||
          path === 'runtime/ports/real/modules.ts' ||
          path.startsWith('runtime/worker/'),
      ),
    ).toEqual([])
  })

  test('the simulation stands on the runtime alone, so that it can be shipped without the tests', () => {
    const simulation = edges(sourceFiles('sim'))
    expect(simulation.length).toBeGreaterThan(10)
    expect(simulation.filter(({ to }) => !to.startsWith('sim/') && !to.startsWith('runtime/'))).toEqual([])
  })

  test('neither imports a real port from a file that thinks', () => {
    const real = runtime.filter(
      ({ from, to }) => to.startsWith('runtime/ports/real/') && !from.startsWith('runtime/ports/real/'),
    )
    expect(real.filter(({ from }) => layerOf(from) !== TOP)).toEqual([])
  })

  test('a rule that is broken is found, so that the tests above mean something', () => {
    expect(breaksLayers({ from: 'runtime/state/a.ts', to: 'runtime/exchange/b.ts' })).toBe(true)
    expect(breaksLayers({ from: 'runtime/worker/a.ts', to: 'runtime/coordinator/b.ts' })).toBe(true)
    expect(breaksLayers({ from: 'runtime/model/a.ts', to: 'runtime/plan/b.ts' })).toBe(true)
    expect(breaksLayers({ from: 'runtime/plan/a.ts', to: 'operator/b.ts' })).toBe(true)
    expect(breaksLayers({ from: 'runtime/plan/a.ts', to: 'runtime/model/b.ts' })).toBe(false)
  })
})
