import { describe, expect, test } from 'vitest'
import { findInCode, importsOf, sourceFiles } from '../harness/source-files.ts'
import type { SourceFile } from '../harness/source-files.ts'

/**
 * Clock, randomness, network and files enter through runtime/ports and the clients of connectors. .oxlintrc.json
 * forbids most of the ways around; this test holds what a lint rule can not say (`new Date()` without a moment) and
 * that nobody switches the rules off.
 */
const ADAPTERS = /^(?:runtime\/(?:ports|connectors\/[^/]+)\/real\/|runtime\/main\.ts$|operator\/(?:real\/|main\.ts$))/
/** Where an expected error is the test: the compiler complains when there is none. */
const TYPE_TESTS = ['test/unit/runtime/front/typescript/typed-jobs.ts']
const OUTSIDE_CALLS =
  /\bnew Date\(\s*\)|\bDate\(\s*\)|\bDate\.now\b|\bMath\.random\b|\bperformance\.now\b|\bglobalThis\b/g
const OUTSIDE_MODULES =
  /^node:(net|tls|http|https|http2|dgram|dns|fs|fs\/promises|timers|timers\/promises|perf_hooks|child_process|worker_threads|process)$/

const thinking = sourceFiles('runtime', 'operator').filter((file) => !ADAPTERS.test(file.path))

const asFile = (code: string): SourceFile => ({ path: 'x.ts', text: code, code })

describe('the ports rule', () => {
  test('no file that thinks asks the machine for the time, for chance or for globalThis', () => {
    expect(thinking.flatMap((file) => findInCode(file, OUTSIDE_CALLS))).toEqual([])
  })

  test('no file that thinks imports sockets, files, timers or processes', () => {
    const found = thinking.flatMap((file) => importsOf(file).map((target) => ({ path: file.path, target })))
    expect(found.filter(({ target }) => OUTSIDE_MODULES.test(target))).toEqual([])
  })

  test('no file that thinks takes random bytes from node:crypto', () => {
    expect(
      thinking.flatMap((file) =>
        findInCode(file, /\b(?:randomBytes|randomUUID|randomInt|getRandomValues|randomFillSync)\b/g),
      ),
    ).toEqual([])
  })

  test('no command writes anywhere but through its console, which writes out what steers a terminal', () => {
    const commands = sourceFiles('cli').filter(({ path }) => path !== 'cli/console.ts')
    expect(
      commands.flatMap((file) => findInCode(file, /\bprocess\.std(?:out|err)\b|\bconsole\.(?:log|error|warn|info)\b/g)),
    ).toEqual([])
  })

  test('no file switches a lint or type rule off', () => {
    const all = sourceFiles('runtime', 'operator', 'embedded', 'cli', 'test').filter(
      (file) => file.path !== 'test/unit/ports-rule.test.ts',
    )
    const switches = (file: SourceFile): RegExp =>
      TYPE_TESTS.includes(file.path)
        ? /lint-disable|@ts-(?:ignore|nocheck)/
        : /lint-disable|@ts-(?:ignore|expect-error|nocheck)/
    expect(all.filter((file) => switches(file).test(file.text)).map((file) => file.path)).toEqual([])
  })

  test('an adapter is a file that touches the outside, and nothing beside it', () => {
    const adapters = ['runtime/ports/real/clock.ts', 'runtime/connectors/kafka/real/client.ts', 'operator/main.ts']
    const others = ['runtime/connectors/kafka/client.ts', 'runtime/connectors/kafka/virtual/cluster.ts', 'runtime/x.ts']
    expect(adapters.filter((path) => !ADAPTERS.test(path))).toEqual([])
    expect(others.filter((path) => ADAPTERS.test(path))).toEqual([])
  })

  test('a call that is forbidden is found, so that the tests above mean something', () => {
    const code = 'const a = new Date()\nglobalThis.fetch(f)\nclock.now()\nnew Date(5)\nMath.random()'
    expect(findInCode(asFile(code), OUTSIDE_CALLS)).toEqual([
      'x.ts:1: new Date()',
      'x.ts:2: globalThis',
      'x.ts:5: Math.random',
    ])
  })
})
