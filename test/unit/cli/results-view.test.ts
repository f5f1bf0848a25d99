import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { newestRows, table } from '../../../cli/results-view.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-view-'))
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

test('rows of JSON are shown as a table; lines of another format as they are, without what a terminal obeys', () => {
  writeFileSync(join(folder, 'part-1.csv'), 'a,b\n1,2\n"x\u001b[31m",3\n')
  expect(table(newestRows(folder, 5))).toBe(['line', 'a,b', '1,2', '"x\\u001b[31m",3'].join('\n'))
})
