import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const START = `import { count, expr, file, job, max, print, stream, tumble } from 'millrace'
const bids = stream('bids', file({ path: './bids.jsonl', format: 'json' }), { schema: { auction: 'long', price: 'long' } })
`
const END = "\nexport default job({ name: 'x', sinks: [bids.sink('out', print())] })\n"

/** What stands in line 3, where the mistake is, its code, and a part of the message or hint. */
const MISTAKES: [line: string, at: string, code: string, said: string][] = [
  ["const a = = 'x'", '3:11', 'MODULE_SYNTAX', 'Expression expected'],
  ['const a = 1; const a = 2', '3:20', 'MODULE_SYNTAX', 'already been declared'],
  ['enum Color { red }', '3:1', 'TYPESCRIPT_UNSUPPORTED', 'as const'],
  ['class A { constructor(private x: number) {} }', '3:31', 'TYPESCRIPT_UNSUPPORTED', 'assign it in the constructor'],
  ['namespace N { export const x = 1 }', '3:1', 'TYPESCRIPT_UNSUPPORTED', 'a module of its own'],
  ["import { x } from 'no-such-package'", '3:19', 'IMPORT_MISSING', 'npm install no-such-package'],
  ["import { x } from './no-such.ts'", '3:19', 'IMPORT_MISSING', 'there is no file "./no-such.ts"'],
  ["import { x } from './sound'", '3:19', 'IMPORT_MISSING', "write './sound.ts'"],
  ["import { x } from './folder'", '3:19', 'IMPORT_MISSING', "write './folder/index.ts'"],
  ["import { y } from './sound.ts'", '3:10', 'IMPORT_MISSING', 'import type { y }'],
  ["import { tumbel } from 'millrace'", '3:10', 'IMPORT_MISSING', 'did you mean "tumble"?'],
  ["throw new Error('no config')", '3:7', 'MODULE_THROWS', 'no config'],
  ["bids.fliter('dear', 'price > 1')", '3:6', 'MODULE_THROWS', 'did you mean "filter"?'],
  ["bids.where('dear', 'price > 1')", '3:6', 'MODULE_THROWS', 'it is called filter'],
  ['bids.filter((bid) => bid.price > 1)', '3:6', 'ID_INVALID', "write filter('my-id', …)"],
  ['bids.map((bid) => bid)', '3:6', 'ID_INVALID', "write map('my-id', …)"],
  ["bids.map('m', (bid) => bid)", '3:6', 'TYPE_MISMATCH', 'with the shape first'],
  ["bids.map('m', { p: 'price * 2' })", '3:6', 'TYPE_MISMATCH', "p: expr('double'"],
  ['bids.keyBy((bid) => bid.price)', '3:6', 'TYPE_MISMATCH', 'names of fields'],
  ["bids.keyBy('price').window('w', '10s', { n: count() })", '3:21', 'TYPE_MISMATCH', "tumble('10s')"],
  ["bids.keyBy('price').aggregate('a', count())", '3:21', 'TYPE_MISMATCH', 'one alone'],
  ["bids.keyBy('price').aggregate('a', { n: 'count()' })", '3:21', 'TYPE_MISMATCH', 'n: count()'],
  ["bids.sink('end')", '3:6', 'TYPE_MISMATCH', "sink('end', file({ … }))"],
  ["job({ name: 'y', sinks: [bids] })", '3:1', 'TYPE_MISMATCH', 'found a Stream'],
  ["job({ name: 'y', sinks: bids.sink('end', print()) })", '3:1', 'TYPE_MISMATCH', 'a list of sinks'],
]

describe('a mistake in a job in TypeScript', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-mistakes-'))
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  write('sound.ts', 'export const x = 1\n')
  write('folder/index.ts', 'export const x = 1\n')
  write('folder/enum.ts', 'export const x = 1\nexport enum Color {\n  red,\n}\n')
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
  })
  const millrace = (...args: string[]): Promise<{ code: unknown; out: string; err: string }> =>
    promisify(execFile)(process.execPath, [CLI, ...args], { cwd: dir }).then(
      ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
      (error: { code: unknown; stdout: string; stderr: string }) => ({
        code: error.code,
        out: error.stdout,
        err: error.stderr,
      }),
    )

  test('is reported with its place, code and hint, whichever it is', async () => {
    const names = MISTAKES.map(([line], index) => {
      write(`${index}.ts`, `${START}${line}${END}`)
      return `${index}.ts`
    })
    const { code, out, err } = await millrace('lint', ...names)
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^\d+ files read, .*\n$/) })
    const heads = out.split('\n').filter((line) => / error /.test(line))
    expect(heads).toEqual(
      MISTAKES.map(([, at, mistake, said], index) =>
        expect.stringMatching(new RegExp(`^${index}\\.ts:${at} error ${mistake} .*${RegExp.escape(said)}`)),
      ),
    )
    expect(out).not.toMatch(/^ +at /m)
  })

  test.each([['run'], ['lint'], ['compile'], ['explain'], ['sim']])(
    'is reported by %s in the same words, in the file where it is, with exit code 1',
    async (command) => {
      write('job.ts', `import './folder/enum.ts'\n${START}${END}`)
      const { code, out, err } = await millrace(command, 'job.ts')
      expect(code).toBe(1)
      expect(`${out}${err}`).toMatch(
        /^folder\/enum\.ts:2:1 error TYPESCRIPT_UNSUPPORTED enum cannot be run: .*\n {2}2 \| export enum Color \{\n {4}\| \^\n/,
      )
    },
  )

  test('is where the default export is when that is no job', async () => {
    write('job.ts', `${START}export default bids\n`)
    expect((await millrace('lint', 'job.ts')).out).toMatch(/^job\.ts:3:1 error NO_JOB .*export default job\(/)
  })
})
