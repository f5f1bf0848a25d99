import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readSavepoint, type PrintedEntry, type ReadWish } from '../../../cli/read-savepoint.ts'
import type { Manifest } from '../../../runtime/checkpoint/manifest.ts'
import { KEPT, unpackFolder } from '../../harness/kept-savepoints.ts'

const VERSION = '0.1.0'
const EXAMPLES = readdirSync(join(KEPT, VERSION))
  .filter((name) => name.endsWith('.gz'))
  .map((name) => name.slice(0, -'.gz'.length))

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-read-'))
  for (const example of EXAMPLES) unpackFolder(join(KEPT, VERSION, `${example}.gz`), join(folder, example))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function savepointOf(example: string): string {
  const checkpoints = join(folder, example, 'state', 'checkpoints')
  return join(checkpoints, readdirSync(checkpoints)[0] ?? '')
}

async function read(example: string, wish: Partial<ReadWish> = {}): Promise<PrintedEntry[]> {
  const lines: string[] = []
  await readSavepoint(
    {
      path: savepointOf(example),
      operator: undefined,
      table: undefined,
      key: undefined,
      limit: Infinity,
      output: 'json',
      ...wish,
    },
    (line) => {
      lines.push(line)
    },
  )
  return lines.map((line) => JSON.parse(line) as PrintedEntry)
}

function operatorsWithState(example: string): string[] {
  const { subtasks } = JSON.parse(readFileSync(join(savepointOf(example), 'manifest.json'), 'utf8')) as Manifest
  return [...new Set(Object.values(subtasks).flatMap(({ state }) => Object.keys(state)))]
}

describe('the state of the kept savepoints', () => {
  test('of every verb it can be read, in the order of key groups, and by key', async () => {
    for (const example of EXAMPLES) {
      for (const operator of operatorsWithState(example)) {
        const entries = await read(example, { operator })
        expect(entries.length, operator).toBeGreaterThan(0)
        const groups = entries.map(({ keyGroup }) => keyGroup)
        expect(groups).toEqual([...groups].sort((a, b) => a - b))
        const last = entries.at(-1)
        const key = Object.entries(last?.key ?? {})
          .map(([name, value]) => `${name}=${String(value)}`)
          .join(',')
        expect(await read(example, { operator, key }), key).toEqual(
          entries.filter((entry) => JSON.stringify(entry.key) === JSON.stringify(last?.key)),
        )
        expect(await read(example, { operator, limit: 1 })).toEqual(entries.slice(0, 1))
      }
    }
  })

  test('a table of a process is called as the job calls it, and its timers have their times', async () => {
    expect(new Set((await read('process')).map(({ table }) => table))).toEqual(new Set(['streak', 'timers']))
    expect(new Set((await read('process', { table: 'streak' })).map(({ table }) => table))).toEqual(new Set(['streak']))
    expect((await read('process', { table: 'timers', limit: 1 }))[0]).toEqual({
      table: 'timers',
      keyGroup: 14,
      key: { bidder: 1007 },
      time: '2015-07-15T00:00:22.400Z',
    })
  })

  test('windows come as they would fire, rows of a ranking by slot, rules whole', async () => {
    const [window] = await read('window', { operator: 'per-day', limit: 1 })
    expect(window).toMatchObject({
      table: 'windows',
      key: { origin: 'ACV' },
      value: { windowStart: '2001-01-02T00:00:00.000Z', windowEnd: '2001-01-03T00:00:00.000Z', flights: 21, late: 13 },
    })
    const [row] = await read('top-n', { table: 'rows', limit: 1 })
    expect(row).toMatchObject({
      key: { auction: 1017 },
      member: { slot: 0 },
      value: { bidder: 1001, price: 30_948, dateTime: '2015-07-15T00:00:10.600Z' },
    })
    expect((await read('broadcast', { key: 'id=1001' }))[0]).toMatchObject({
      table: 'rules',
      value: { name: 'Sarah Jones', city: 'Cheyenne' },
    })
  })
})

test('an operator that is not there, or left out where several keep state, is told with those that are', async () => {
  await expect(read('window', { operator: 'per-dya' })).rejects.toMatchObject({
    code: 'OPERATOR_UNKNOWN',
    hint: '--operator per-day or spells',
  })
  await expect(read('window')).rejects.toMatchObject({ code: 'OPERATOR_UNKNOWN' })
  await expect(read('process', { key: 'bidder' })).rejects.toMatchObject({ code: 'USAGE' })
})

test('a table or a key that is not there is no empty answer', async () => {
  await expect(read('process', { table: 'streaks' })).rejects.toMatchObject({
    code: 'USAGE',
    hint: '--table streak or timers',
  })
  await expect(read('process', { key: 'biddr=1' })).rejects.toMatchObject({ code: 'USAGE', hint: '--key bidder=…' })
})
