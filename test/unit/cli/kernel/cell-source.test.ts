import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isEmptyCell, jobTextOf, languageOf, settingsOf } from '../../../../cli/kernel/cell-source.ts'
import { readJobFile } from '../../../../runtime/front/job-file.ts'

test.each([
  ['- id: a', 'graph'],
  ['# a comment\n\n- id: a', 'graph'],
  ['[{ id: a }]', 'graph'],
  ['apiVersion: millrace.dev/v1alpha1', 'yaml'],
  ['---\napiVersion: x', 'yaml'],
  ["import { job } from 'millrace'", 'typescript'],
  ['// %plot x: a, y: b\nexport default 1', 'typescript'],
  ['/** a job */\nconst a = 1', 'typescript'],
  ['constant: 1', 'yaml'],
])('when a cell is %j, its language is %s', (cell, language) => {
  expect(languageOf(cell)).toBe(language)
})

test.each(['', '  \n\t', '# only this', '// only this\n\n', '# %plot x: a, y: b'])('the cell %j is empty', (cell) => {
  expect(isEmptyCell(cell)).toBe(true)
})

test('when a cell is a list of operators, it becomes a job whose places are those of the cell', () => {
  const cell = '# bids\n- id: a\n  map: |\n    one\n      two\n\n- id: b'
  const { text, place } = jobTextOf(cell)
  const { spec } = readJobFile(text)
  expect(spec).toEqual({ graph: [{ id: 'a', map: 'one\n  two\n' }, { id: 'b' }] })
  const lines = text.split('\n')
  const line = lines.findIndex((one) => one.includes('id: b')) + 1
  expect(place({ line, column: (lines[line - 1] ?? '').indexOf('id') + 1 })).toEqual({ line: 7, column: 3 })
  expect(place({ line: 1, column: 9 })).toEqual({ line: 1, column: 1 })
})

test('when comments of a cell ask for something, it is read, and other comments are left alone', () => {
  expect(
    settingsOf('# %table rows: 50\n// %plot x: at, y: a b, sink: out\n# 50 % of it\n- id: %x\n# %stop rows: 7'),
  ).toEqual({
    rows: 50,
    stopRows: 7,
    plots: [{ x: 'at', y: ['a', 'b'], by: undefined, sink: 'out' }],
  })
  expect(settingsOf('- id: a')).toEqual({ rows: 20, stopRows: undefined, plots: [] })
})

test.each([
  ['- id: a\n  # %plod x: a', 2, /%plod is unknown/],
  ['# %table rows: 0', 1, /whole number from 1 to 1000/],
  ['# %table rows: 1001', 1, /rows is 1001/],
  ['# %table', 1, /%table has no member ""/],
  ['# %stop rows: many', 1, /rows is many/],
  ['# %plot x: a', 1, /needs x and y/],
  ['# %plot x: a, y: b c, by: d', 1, /takes one/],
  ['# %plot x: a, y: b, constructor: d', 1, /no member "constructor: d"/],
])('when the setting in %j is wrong, the error has its line', (cell, line, why) => {
  expect(() => settingsOf(cell)).toThrow(
    expect.objectContaining({
      code: 'CELL_SETTING_INVALID',
      message: expect.stringMatching(why),
      position: expect.objectContaining({ line }),
    }),
  )
})

test('when a cell has more plots than a screen, it is refused', () => {
  expect(() => settingsOf('# %plot x: a, y: b\n'.repeat(9))).toThrow(/9 plots, a cell has at most 8/)
})

test('every comment of the documentation is one that a cell may have', () => {
  const page = readFileSync(new URL('../../../../docs/notebooks.md', import.meta.url), 'utf8')
  const comments = [...page.matchAll(/^\| `(# %.*?)` \|/gm)].map(([, comment = '']) => comment)
  expect(comments).toHaveLength(6)
  expect(settingsOf(comments.join('\n'))).toMatchObject({ rows: 100, stopRows: 500, plots: { length: 4 } })
})
