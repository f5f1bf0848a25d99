import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SavepointContents } from '../../cli/inspect-savepoint.ts'
import { seal, unseal } from '../../runtime/checkpoint/sealed-file.ts'
import type { Manifest } from '../../runtime/checkpoint/manifest.ts'
import { startMillraceIn, type Ended } from '../harness/processes.ts'
import { until } from '../harness/until.ts'

const RECORDS = 60
const FUNCTIONS = `
export const toString = {
  onRow(row, { state, emit }) {
    const seen = (state.valueOf.get()?.constructor ?? 0) + row.hasOwnProperty
    state.valueOf.set({ constructor: seen })
    emit({ constructor: row.constructor, isPrototypeOf: seen })
  },
}
`

/** A job with names that every object has, for its operators, key, fields, module, function and state. */
const job = (sink: object, rate?: string): object => ({
  apiVersion: 'millrace.dev/v1alpha1',
  kind: 'StreamJob',
  metadata: { name: 'constructor' },
  spec: {
    checkpoints: { store: './state', interval: '50ms' },
    modules: { constructor: { path: './own.mjs' } },
    graph: [
      {
        id: 'in',
        source: { file: { path: './in.jsonl', format: 'json', ...(rate === undefined ? {} : { rate }) } },
        schema: { constructor: 'string', hasOwnProperty: 'long' },
      },
      {
        id: 'constructor',
        from: 'in',
        keyBy: 'constructor',
        process: {
          module: 'constructor',
          function: 'toString',
          output: { constructor: 'string', isPrototypeOf: 'long' },
          state: { valueOf: { value: { constructor: 'long' } } },
        },
      },
      { id: 'out', from: 'constructor', sink },
    ],
  },
})

describe('a savepoint of a job whose names every object has', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-crafted-'))
  const out = join(folder, 'out')
  let checkpoint = ''
  let manifest: Manifest

  const millrace = (...args: string[]): Promise<Ended> => startMillraceIn(folder, ...args).ended
  const path = (): string => `checkpoints/${basename(checkpoint)}/manifest.json`

  beforeAll(async () => {
    writeFileSync(join(folder, 'own.mjs'), FUNCTIONS)
    const record = (n: number): object => ({ constructor: ['toString', 'b'][n % 2], hasOwnProperty: n })
    writeFileSync(
      join(folder, 'in.jsonl'),
      Array.from({ length: RECORDS }, (_, n) => `${JSON.stringify(record(n))}\n`).join(''),
    )
    writeFileSync(join(folder, 'slow.json'), JSON.stringify(job({ file: { path: './out', format: 'json' } }, '10/s')))
    writeFileSync(join(folder, 'job.json'), JSON.stringify(job({ file: { path: './out', format: 'json' } })))
    const running = startMillraceIn(folder, 'run', 'slow.json')
    await until('rows are committed', () =>
      /[1-9]\d* in, .*checkpoint 1-\d\d/.test(running.stderr()) ? true : undefined,
    )
    running.process.kill('SIGINT')
    await running.ended
    const runs = join(folder, 'state', 'local', 'constructor')
    const checkpoints = join(runs, readdirSync(runs)[0] ?? '', 'checkpoints')
    const newest = readdirSync(checkpoints)
      .filter((name) => readdirSync(join(checkpoints, name)).includes('manifest.json'))
      .sort((a, b) => Number(a.split('-')[1]) - Number(b.split('-')[1]))
      .at(-1)
    checkpoint = join(checkpoints, newest ?? '')
    rmSync(join(checkpoint, 'committed'), { force: true })
    manifest = JSON.parse(unseal({ path: path() }, readFileSync(join(checkpoint, 'manifest.json')))) as Manifest
  })
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  /** Runs from the savepoint with that output of the sink to commit. */
  async function restoredWith(committables: readonly { from: string; to: string }[]): Promise<Ended> {
    const subtasks = Object.fromEntries(
      Object.entries(manifest.subtasks).map(([id, snapshot]) => [
        id,
        { ...snapshot, committables: 'out' in snapshot.committables ? { out: committables } : snapshot.committables },
      ]),
    )
    expect(Object.values(subtasks).some((snapshot) => 'out' in snapshot.committables)).toBe(true)
    const text = JSON.stringify({ ...manifest, subtasks })
    writeFileSync(join(checkpoint, 'manifest.json'), seal({ path: path(), job: 'anybody' }, text))
    return millrace('run', 'job.json', '--restore', checkpoint)
  }

  test('is inspected and read as any other', async () => {
    const inspected = await millrace('savepoint', 'inspect', checkpoint, '-o', 'json')
    expect(inspected.code).toBe(0)
    const { operators } = JSON.parse(inspected.stdout) as SavepointContents
    expect(operators.find(({ id }) => id === 'constructor')).toMatchObject({
      verb: 'process',
      schema: ['constructor: string', 'isPrototypeOf: long'],
    })
    const read = await millrace('savepoint', 'read', checkpoint, '--operator', 'constructor', '--table', 'valueOf')
    expect(read.code).toBe(0)
    expect(read.stdout).toMatch(/^valueOf {2}group \d+ {2}constructor=toString/m)
    expect((await millrace('savepoint', 'read', checkpoint, '--operator', 'toString')).stderr).toMatch(
      /OPERATOR_UNKNOWN/,
    )
  })

  test('that asks to rename a file other than a part of its own sink is refused, and every file stays', async () => {
    const theirs = join(folder, 'theirs')
    mkdirSync(theirs)
    mkdirSync(out, { recursive: true })
    symlinkSync(theirs, join(out, 'link'))
    const part = 'part-00000000-out-0-9-0.jsonl'
    const pending = `.${part}.pending`
    writeFileSync(join(theirs, 'victim'), 'victim')
    writeFileSync(join(theirs, pending), 'part')
    const before = readdirSync(theirs).sort()
    const crafted = [
      { from: join(theirs, 'victim'), to: join(theirs, 'gone') },
      { from: join(theirs, 'victim'), to: join(out, part) },
      { from: join(out, '..', 'theirs', 'victim'), to: join(out, part) },
      { from: `${out}/../theirs/${pending}`, to: `${out}/../theirs/${part}` },
      { from: join(out, 'link', pending), to: join(out, 'link', part) },
      { from: join(theirs, pending), to: join(theirs, part) },
    ]
    for (const committable of crafted) {
      const ended = await restoredWith([committable])
      expect(ended.code, JSON.stringify(committable)).toBe(1)
      expect(ended.stderr).toContain('COMMITTABLE_INVALID')
      expect(readdirSync(theirs).sort()).toEqual(before)
      expect(readFileSync(join(theirs, 'victim'), 'utf8')).toBe('victim')
    }
  }, 120_000)

  test('goes on where it was taken', async () => {
    expect((await restoredWith([])).code).toBe(0)
    const rows = readdirSync(out)
      .filter((name) => name.startsWith('part-'))
      .flatMap((name) => readFileSync(join(out, name), 'utf8').trim().split('\n'))
      .map((line) => JSON.parse(line) as { constructor: string; isPrototypeOf: number })
    const most = (key: string): number =>
      Math.max(...rows.filter((row) => row.constructor === key).map((row) => row.isPrototypeOf))
    expect([most('toString'), most('b')]).toEqual([870, 900])
  })
})
