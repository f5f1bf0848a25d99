import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startMillraceIn, type Ended } from '../harness/processes.ts'
import { until } from '../harness/until.ts'

/** Sets the title, clears the screen, the same in C1, and turns the direction of text. */
const EVIL = '\u001b]0;pwned\u0007\u001b[2J\u009b31m\u009d0;x\u009c\u202e\r'
const COMMAND = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/

describe('a text that steers a terminal', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-terminal-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  const millrace = (...args: string[]): Promise<Ended> => startMillraceIn(folder, ...args).ended

  function file(name: string, content: unknown): string {
    writeFileSync(join(folder, name), typeof content === 'string' ? content : `${JSON.stringify(content)}\n`)
    return name
  }

  const job = (graph: object[], spec: object = {}): object => ({
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'StreamJob',
    metadata: { name: 'shown' },
    spec: { checkpoints: { store: './state', interval: '50ms' }, ...spec, graph },
  })
  const source = {
    id: 'in',
    source: { file: { path: './in.jsonl', format: 'json' } },
    schema: { k: 'string', n: 'long' },
  }
  const lines = (...records: object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')

  function expectShown({ stdout, stderr }: Ended): string {
    const shown = stdout + stderr
    expect(COMMAND.exec(shown)?.[0]).toBeUndefined()
    expect(shown).toContain('pwned')
    return shown
  }

  test('in records is written out by the console sink, in what is skipped, and when the state is read', async () => {
    const records = Array.from({ length: 40 }, () => ({ k: EVIL, n: 1 }))
    file('in.jsonl', lines({ k: 'b', n: EVIL }, ...records))
    const graph = [
      { ...source, source: { file: { path: './in.jsonl', format: 'json', rate: '5/s' } }, onError: 'skip' },
      { id: 'sum', from: 'in', keyBy: 'k', window: 'global', aggregate: { n: 'sum(n)' } },
      { id: 'sums', from: 'sum', sink: { console: {} } },
      { id: 'out', from: 'in', sink: { console: {} } },
    ]
    const running = startMillraceIn(folder, 'run', file('job.yaml', job(graph)))
    await until('a checkpoint holds state', () =>
      running.stdout() !== '' && /checkpoint 1-\d\d/.test(running.stderr()) ? true : undefined,
    )
    running.process.kill('SIGINT')
    expectShown(await running.ended)
    const state = join(folder, 'state', 'local', 'shown')
    const run = join(state, readdirSync(state)[0] ?? '')
    for (const output of ['text', 'json']) expectShown(await millrace('savepoint', 'read', run, '-o', output))
    const inspected = await millrace('savepoint', 'inspect', run)
    expect(inspected.code).toBe(0)
    expect(COMMAND.test(inspected.stdout)).toBe(false)
  })

  test.each(['text', 'json'])('in the record that a job fails with is written out, output %s', async (output) => {
    file('in.jsonl', lines({ k: 'b', n: EVIL }))
    const ran = await millrace(
      'run',
      file(
        'job.yaml',
        job([
          { ...source, onError: 'fail' },
          { id: 'out', from: 'in', sink: { console: {} } },
        ]),
      ),
      '-o',
      output,
      '--log',
      'debug',
    )
    expect(ran.code).toBe(1)
    expectShown(ran)
  })

  test('in an exception of a function is written out', async () => {
    file('in.jsonl', lines({ k: EVIL, n: 1 }))
    file('own.mjs', 'export const bad = (row) => { throw new Error(`no ${row.k}`) }\n')
    const graph = [
      source,
      { id: 'map', from: 'in', map: { module: 'own', function: 'bad', output: { k: 'string' } } },
      { id: 'out', from: 'map', sink: { console: {} } },
    ]
    const ran = await millrace('run', file('job.yaml', job(graph, { modules: { own: { path: './own.mjs' } } })))
    expect(ran.code).toBe(1)
    expectShown(ran)
  })

  test('in the names of a job and its files is written out by run, lint, explain and dev', async () => {
    const graph = [
      { id: 'in', source: { file: { path: `./${EVIL}.jsonl`, format: 'json' } }, schema: { k: 'string', n: 'long' } },
      { id: 'f', from: 'in', filter: `k !== ${JSON.stringify(EVIL)}` },
      { id: 'set', from: 'f', set: { k: `'${EVIL.replace('\r', '')}'` } },
      { id: 'out', from: 'set', sink: { file: { path: `./${EVIL}`, format: 'json' } } },
    ]
    const good = file('good.yaml', job(graph))
    for (const show of [
      ['explain', good],
      ['explain', '-o', 'json', good],
      ['explain', '--code', good],
      ['lint', good],
    ])
      expect(COMMAND.test(Object.values(await millrace(...show)).join(''))).toBe(false)
    expectShown(await millrace('run', good))
    const wrong = file('wrong.yaml', job([...graph, { id: `x${EVIL}`, from: EVIL, filter: EVIL, [EVIL]: 1 }]))
    for (const command of ['lint', 'run', 'explain']) expectShown(await millrace(command, wrong))
    expectShown(await millrace('lint', '-o', 'json', wrong))
    expectShown(await millrace('lint', `${EVIL}.yaml`))
    expectShown(await millrace(`x${EVIL}`))
    expectShown(await millrace('savepoint', 'inspect', `/none/${EVIL}`))
  })

  test('in the folder and the rows of results is written out by dev', async () => {
    file('in.jsonl', lines({ k: EVIL, n: 1 }))
    const graph = [source, { id: 'out', from: 'in', sink: { file: { path: `./${EVIL}`, format: 'json' } } }]
    const dev = startMillraceIn(folder, 'dev', file('job.yaml', job(graph)))
    try {
      await until('rows are shown', () => (dev.stdout().includes('newest rows') ? true : undefined))
    } finally {
      dev.process.kill('SIGINT')
    }
    expectShown(await dev.ended)
  })
})
