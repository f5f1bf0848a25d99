import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CellViews } from '../../../../cli/kernel/cell-views.ts'
import { plotView } from '../../../../cli/kernel/plot-view.ts'
import { SinkRows } from '../../../../cli/kernel/sink-rows.ts'
import { tableView } from '../../../../cli/kernel/table-view.ts'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { planJob } from '../../../../runtime/front/planned-job.ts'
import { parseWithDigits } from '../../../../runtime/model/json-digits.ts'
import type { Fields } from '../../../../runtime/model/fields.ts'

const table = (rows: readonly Fields[], columns: readonly string[], total = rows.length) =>
  tableView({ sink: 'out', columns, rows, total, state: 'ended' })

const UNESCAPED = new Map([
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
  ['&quot;', '"'],
  ['&#39;', "'"],
])

test('when names and rows hold any characters, HTML and SVG have no element but those of the view', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('<script>', '</td>', '"><svg onload=a>', '&lt;', "' onclick='"))
  fc.assert(
    fc.property(text, text, (column, value) => {
      const html = table([{ [column]: value }], [column])['text/html'] ?? ''
      const tags = new Set([...html.matchAll(/<\/?([^\s>]*)/g)].map(([, tag]) => tag))
      expect([...tags].toSorted()).toEqual(['caption', 'table', 'tbody', 'td', 'th', 'thead', 'tr'])
      const plot = { x: column, y: ['n'], by: 'by', sink: undefined }
      const svg = plotView(value, plot, [{ n: 1, by: value, [column]: 2 }])['image/svg+xml'] ?? ''
      const elements = [...svg.matchAll(/<\/?([^\s>]*)/g)].map(([, tag = '']) => tag)
      expect(
        elements.filter((tag) => !['svg', 'title', 'rect', 'line', 'text', 'circle', 'polyline'].includes(tag)),
      ).toEqual([])
      expect(svg).not.toMatch(/ on\w+=(?!["'])[^&]*"[^>]*>/)
    }),
  )
})

test('when a value is shown in HTML, a browser reads the same text', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[ -~]{0,50}$/), (value) => {
      const html = table([{ a: value }], ['a'])['text/html'] ?? ''
      const [, cell = ''] = /<td>(.*)<\/td>/.exec(html) ?? []
      expect(cell.replace(/&(?:amp|lt|gt|quot|#39);/g, (name) => UNESCAPED.get(name) ?? '')).toBe(value)
    }),
  )
})

test('when numbers have more digits than a double, the table shows all of them', () => {
  const row = parseWithDigits('{"id":9223372036854775807,"price":0.10000000000000000001}') as Fields
  expect(table([row], ['id', 'price'])['text/plain']).toContain('9223372036854775807  0.10000000000000000001')
})

test('when rows hold what steers a terminal, line ends or a long text, a cell stays one short line', () => {
  const plain = table([{ a: '\u001b[2J\nx', b: 'y'.repeat(300) }], ['a', 'b'])['text/plain'] ?? ''
  expect(plain.split('\n')).toHaveLength(3)
  expect(plain).toContain('\\u001b[2J x')
  expect(plain).toContain(`${'y'.repeat(40)}…`)
})

test('when there are more rows or columns than are shown, the caption says so', () => {
  const columns = Array.from({ length: 60 }, (_, index) => `c${index}`)
  expect(table([{ c0: 1 }], columns, 1234)['text/plain']).toMatch(
    /^out: the newest 1 of 1234 rows, the first 50 of 60 columns\n/,
  )
  expect(tableView({ sink: 'out', columns: ['a'], rows: [], total: 0, state: 'running' })['text/plain']).toBe(
    'out: 0 rows so far\na',
  )
})

test('when a column is named as what every object inherits, a row without it has an empty cell', () => {
  expect(table([{}], ['constructor'])['text/html']).toContain('<td></td>')
})

test('when more rows come than are kept, the newest stay, as a plain list has them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat({ max: 9 }), { maxLength: 200 }), (most, values) => {
      const rows = new SinkRows(most)
      for (const value of values) rows.add(JSON.stringify({ value }))
      expect(rows.newest(most)).toEqual(values.slice(-most).map((value) => ({ value })))
      expect(rows.total).toBe(values.length)
    }),
  )
})

test('when rows are large, no more than some megabytes of them are kept', () => {
  const rows = new SinkRows(1000)
  for (let at = 0; at < 60; at++) rows.add(JSON.stringify({ at, text: 'x'.repeat(1 << 20) }))
  const kept = rows.newest(1000).map(({ at }) => at)
  expect(kept.length).toBeLessThan(9)
  expect(kept.at(-1)).toBe(59)
})

const points = (svg: string | undefined): string[][] =>
  [...(svg ?? '').matchAll(/points="([^"]*)"/g)].map(([, list = '']) => list.split(' '))

test('when rows are plotted by a column, each value has a line in the order of x', () => {
  const rows = [
    { at: '2026-01-01T00:00:10.000Z', n: 10, by: 'a' },
    { at: '2026-01-01T00:00:00.000Z', n: 0, by: 'a' },
    { at: '2026-01-01T00:00:05.000Z', n: 5, by: 'b' },
    { at: '2026-01-01T00:00:10.000Z', n: 0, by: 'b' },
    { at: null, n: 0, by: 'b' },
  ]
  const view = plotView('out', { x: 'at', y: ['n'], by: 'by', sink: undefined }, rows)
  expect(points(view['image/svg+xml'])).toEqual([
    ['70.0,260.0', '500.0,16.0'],
    ['285.0,138.0', '500.0,260.0'],
  ])
  expect(view['text/plain']).toBe('out: n over at by by, 4 points; 1 left out for want of a number')
})

test('when values of the column by are more than there are colours, the caption says that the rest is left out', () => {
  const rows = Array.from({ length: 20 }, (_, index) => ({ x: 1, y: index, by: String(index % 10) }))
  const view = plotView('out', { x: 'x', y: ['y'], by: 'by', sink: undefined }, rows)
  expect(view['text/plain']).toContain('the rows of 2 further values of by are left out')
})

test('when numbers are any doubles, all coordinates of a plot are numbers within it', () => {
  // the neighbours of zero: the differences of numbers this small have no step between them
  const tiny = fc.integer({ min: -40, max: 40 }).map((count) => count * Number.MIN_VALUE)
  const numbers = fc.oneof(fc.double(), tiny)
  fc.assert(
    fc.property(fc.array(fc.tuple(numbers, numbers), { maxLength: 30 }), (pairs) => {
      const rows = pairs.map(([x, y]) => ({ x, y }))
      const svg = plotView('out', { x: 'x', y: ['y'], by: undefined, sink: undefined }, rows)['image/svg+xml'] ?? ''
      for (const [, value] of svg.matchAll(/ (?:x|y|x1|x2|y1|y2|cx|cy)="([^"]*)"/g))
        expect(Number(value)).toSatisfy((one: number) => one >= 0 && one <= 640)
      for (const one of points(svg)
        .flat()
        .flatMap((pair) => pair.split(',')))
        expect(Number(one)).toSatisfy((value: number) => value >= 0 && value <= 640)
    }),
  )
})

const GRAPH = planJob(
  {
    graph: [
      { id: 'in', source: { values: { rows: [{ a: 1, b: 2 }] } }, schema: { a: 'long', b: 'long' } },
      { id: 'out', from: 'in', sink: { console: {} } },
      { id: 'small', from: 'in', map: { a: 'a' } },
      { id: 'second', from: 'small', sink: { console: {} } },
    ],
  },
  builtinConnectors,
).graph

test('when a job has several console sinks, each has its table, and a plot is drawn where its columns are', () => {
  const plot = { x: 'a', y: ['b'], by: undefined, sink: undefined }
  const views = new CellViews(GRAPH, { rows: 20, plots: [plot], stopRows: undefined })
  views.add('{"a":1,"b":2}', 'out')
  views.add('{"a":3}', 'second')
  const shown = views.changes('running').map((change) => (change.kind === 'view' ? change.view : change.kind))
  expect(shown).toEqual(['table-out', 'plot-out-0', 'table-second'])
  expect(views.changes('running')).toEqual([])
  views.add('{"a":4}', 'second')
  expect(views.changes('running')).toMatchObject([
    { view: 'table-second', data: { 'text/plain': 'second: 2 rows so far\na\n3\n4' } },
  ])
  expect(views.changes('ended')).toHaveLength(3)
})

test('when a cell stops at so many rows, rows behind them are not shown', () => {
  const views = new CellViews(GRAPH, { rows: 20, plots: [], stopRows: 2 })
  for (const a of [1, 2, 3]) views.add(JSON.stringify({ a }), 'second')
  expect(views.isEnough).toBe(true)
  expect(views.changes('ended').at(-1)).toMatchObject({ data: { 'text/plain': 'second: 2 rows\na\n1\n2' } })
})

test('when a plot names a column that no console sink has, the error says which they have', () => {
  const plot = { x: 'a', y: ['c'], by: undefined, sink: undefined }
  expect(() => new CellViews(GRAPH, { rows: 20, plots: [plot], stopRows: undefined })).toThrow(
    expect.objectContaining({
      code: 'PLOT_COLUMN_UNKNOWN',
      hint: 'console sinks are out with a, b; second with a',
    }),
  )
})
