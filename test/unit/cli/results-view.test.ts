import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newestRows, table } from '../../../cli/results-view.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-view-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

test('rows of JSON are shown as a table; lines of another format as they are, without what a terminal obeys', () => {
  writeFileSync(join(folder, 'part-1.csv'), 'a,b\n1,2\n"x\u001b[31m",3\n')
  expect(table(newestRows(folder, 'part-1', 5))).toBe(['line', 'a,b', '1,2', '"x\\u001b[31m",3'].join('\n'))
})

test('rows of other runs in the same folder are not shown', () => {
  writeFileSync(join(folder, 'part-1-0'), '{"n":1}\n')
  writeFileSync(join(folder, 'part-2-0'), '{"n":2}\n')
  expect(newestRows(folder, 'part-2-', 5)).toEqual([{ n: 2 }])
})

test('a column that a row does not have is empty, also one that every object has', () => {
  expect(table([{ constructor: 'x' }, {}])).toBe(['constructor', 'x', 'null'].join('\n'))
})
