import { describe, expect, test } from 'vitest'
import { importEdges, reachedFrom, type Edge } from '../harness/reach.ts'
import { loadedImportsOf, sourceFiles } from '../harness/source-files.ts'

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

/** Clients of the outside: of every process, and of one connector. */
const isReal = (path: string): boolean => /^runtime\/(?:ports|connectors\/[^/]+)\/real\//.test(path)
const importsReal = ({ from, to }: Edge): boolean => isReal(to) && !isReal(from) && layerOf(from) !== TOP

function breaksLayers({ from, to }: Edge): boolean {
  if (!to.startsWith('runtime/')) return true
  if (layerOf(from) === layerOf(to)) return false
  return heightOf(layerOf(to)) >= heightOf(layerOf(from))
}

/** What planning loads of connectors. */
const isDeclaration = (path: string): boolean =>
  /^runtime\/connectors\/(?:registry\.ts|kit\/.*|[^/]+\/(?:declaration\.ts|declared\/.*))$/.test(path)

describe('imports', () => {
  const runtime = importEdges(sourceFiles('runtime'))

  test('every folder of the runtime has its place in the layers', () => {
    const folders = new Set(sourceFiles('runtime').map((file) => layerOf(file.path)))
    expect([...folders].filter((folder) => heightOf(folder) < 0)).toEqual([])
  })

  test('the runtime imports downwards only, and nothing outside of itself', () => {
    expect(runtime.filter(breaksLayers)).toEqual([])
  })

  test('the operator imports of the runtime only what both must agree on', () => {
    // Checking a spec means asking each connector about its options; only the wiring knows which connectors there are.
    const wrong = importEdges(sourceFiles('operator'))
      .filter(({ from, to }) => !(from === 'operator/main.ts' && to === 'runtime/builtin-connectors.ts'))
      .filter(
        ({ to }) =>
          !to.startsWith('operator/') && !(to.startsWith('runtime/') && OPERATOR_MAY_USE.includes(layerOf(to))),
      )
    expect(wrong).toEqual([])
  })

  test('nothing the operator is made of can load code of a user', () => {
    const reached = reachedFrom(['operator/main.ts'], [...runtime, ...importEdges(sourceFiles('operator'))])
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
    const simulation = importEdges(sourceFiles('sim'))
    expect(simulation.length).toBeGreaterThan(10)
    expect(simulation.filter(({ to }) => !to.startsWith('sim/') && !to.startsWith('runtime/'))).toEqual([])
  })

  test('neither imports a real port from a file that thinks', () => {
    expect(runtime.filter(importsReal)).toEqual([])
  })

  test('the operator starts with the declarations of connectors and none of their code', () => {
    const reached = reachedFrom(['operator/main.ts'], importEdges(sourceFiles('runtime', 'operator'), loadedImportsOf))
    const connectors = [...reached].filter((path) => path.startsWith('runtime/connectors/'))
    expect(connectors).toContain('runtime/connectors/kafka/declaration.ts')
    expect(connectors.filter((path) => !isDeclaration(path))).toEqual([])
  })

  test('a declaration loads no code of its connector', () => {
    const wrong = importEdges(sourceFiles('runtime/connectors'), loadedImportsOf)
      .filter(({ from }) => from.endsWith('/declaration.ts'))
      .filter(({ to }) => !['model', 'expressions', 'graph'].includes(layerOf(to)) && !isDeclaration(to))
    expect(wrong).toEqual([])
  })

  test('a rule that is broken is found, so that the tests above mean something', () => {
    expect(importsReal({ from: 'runtime/task/a.ts', to: 'runtime/ports/real/b.ts' })).toBe(true)
    expect(importsReal({ from: 'runtime/connectors/a/connector.ts', to: 'runtime/connectors/a/real/b.ts' })).toBe(true)
    expect(importsReal({ from: 'runtime/connectors/a/real/b.ts', to: 'runtime/connectors/c/real/d.ts' })).toBe(false)
    expect(isDeclaration('runtime/connectors/kafka/connector.ts')).toBe(false)
    expect(breaksLayers({ from: 'runtime/state/a.ts', to: 'runtime/exchange/b.ts' })).toBe(true)
    expect(breaksLayers({ from: 'runtime/worker/a.ts', to: 'runtime/coordinator/b.ts' })).toBe(true)
    expect(breaksLayers({ from: 'runtime/model/a.ts', to: 'runtime/plan/b.ts' })).toBe(true)
    expect(breaksLayers({ from: 'runtime/plan/a.ts', to: 'operator/b.ts' })).toBe(true)
    expect(breaksLayers({ from: 'runtime/plan/a.ts', to: 'runtime/model/b.ts' })).toBe(false)
  })
})
