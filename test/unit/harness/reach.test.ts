import { describe, expect, test } from 'vitest'
import { importEdges, namedEdges, reachedFrom } from '../../harness/reach.ts'
import { sourceFile, sourceFiles } from '../../harness/source-files.ts'

const file = (path: string, text: string) => ({ path, text, code: text })

function named(text: string, paths: readonly string[]): string[] {
  return namedEdges([file('test/unit/a.test.ts', text)], paths).map(({ to }) => to)
}

describe('what a file names in a string', () => {
  test.each([
    ["spawn(node, ['cli/main.ts'])", ['cli/main.ts'], 'cli/main.ts'],
    ["new URL('./host.ts', import.meta.url)", ['test/unit/host.ts'], 'test/unit/host.ts'],
    ["join(ROOT, 'cli', 'bin.js')", ['cli/bin.js'], 'cli/bin.js'],
    ["join(ROOT, 'examples', name)", ['examples/a.yaml'], 'examples'],
    ["join(import.meta.dirname, '../fixtures')", ['test/fixtures/a.gz'], 'test/fixtures'],
    ["sourceFiles('runtime')", ['runtime/main.ts'], 'runtime'],
    ['import(`./${name}/b.ts`)', ['test/unit/x/b.ts', 'test/unit/x/c.ts'], 'test/unit/x/b.ts'],
  ])('when it says %s, that is an edge', (text, paths, expected) => {
    expect(named(text, paths)).toEqual([expected])
  })

  test('when a word is also the name of a folder, it is no edge', () => {
    expect(named("kind('operator')", ['operator/main.ts'])).toEqual([])
  })
})

test('tests that start the command as a process reach what its workers load by name', () => {
  const files = [...sourceFiles('test', 'cli', 'runtime', 'operator', 'embedded', 'sim'), sourceFile('cli/bin.js')]
  const paths = files.map(({ path }) => path)
  const reached = reachedFrom(['test/embedded/run.test.ts'], [...importEdges(files), ...namedEdges(files, paths)])
  expect([...reached]).toEqual(
    expect.arrayContaining(['cli/main.ts', 'runtime/main.ts', 'runtime/operators/join/operator.ts']),
  )
})
