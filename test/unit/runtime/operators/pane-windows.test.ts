import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileKeyGrouper } from '../../../../runtime/codegen/keys/key-grouper.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { createPaneWindows, type PaneWindowsOptions } from '../../../../runtime/operators/window/pane-windows.ts'
import type { WindowTable } from '../../../../runtime/operators/window/window-table.ts'
import type { Field, FieldType, Row, Schema } from '../../../../runtime/model/schema.ts'
import type { GroupState } from '../../../../runtime/model/snapshot.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from '../../../../runtime/model/time.ts'
import type { Aggregate } from '../../../../runtime/graph/verbs/kit/aggregate-fields.ts'
import { TableSnapshots } from '../../../../runtime/state/table-snapshots.ts'
import { PlainWindow, type PlainAggregate } from '../../../harness/plain/plain-window.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const GROUPS = 8
const field = (name: string, type: FieldType, nullable = false): Field => ({ name, type, nullable })
const unexpected = (error: unknown): never => {
  throw error
}

function aggregate(name: string, kind: PlainAggregate['function'], argument?: Field): Aggregate {
  const type = kind === 'count' ? 'long' : kind === 'avg' ? 'double' : (argument?.type ?? 'long')
  const output = field(name, type, argument?.nullable ?? false)
  if (argument === undefined) return { field: output, function: kind }
  return {
    field: output,
    function: kind,
    argument: { kind: 'field', name: argument.name, type: argument.type, nullable: argument.nullable },
  }
}

function outputSchema(keys: readonly Field[], aggregates: readonly Aggregate[]): Schema {
  return {
    fields: [
      ...keys,
      field('windowStart', 'timestamp'),
      field('windowEnd', 'timestamp'),
      ...aggregates.map((one) => one.field),
    ],
  }
}

function setUp(keys: Field[], values: Field[], aggregates: Aggregate[], window: { sizeMs: number; slideMs: number }) {
  const inputSchema: Schema = { fields: [field('at', 'timestamp'), ...keys, ...values] }
  const options = (): PaneWindowsOptions => ({
    keys,
    window,
    aggregates,
    inputSchema,
    outputRowClass: compileRowClass(outputSchema(keys, aggregates)),
    eventTime: { field: 'at', offsetMs: 0 },
    maxParallelism: GROUPS,
  })
  return {
    inputSchema,
    rowClass: compileRowClass(inputSchema),
    grouper: compileKeyGrouper(keys, GROUPS),
    create: () => createPaneWindows(options()),
  }
}

function fireAll(table: WindowTable, watermark: number, budget: number): Row[] {
  const rows: Row[] = []
  while (
    table.fire(watermark, budget, (batch, count) => {
      rows.push(...batch.slice(0, count).map((row) => ({ ...row })))
    })
  );
  return rows
}

function sorted(rows: readonly Row[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}

const KEY_FIELDS: readonly Field[] = [
  field('kLong', 'long'),
  field('kLongNull', 'long', true),
  field('kText', 'string'),
  field('kTextNull', 'string', true),
  field('kFlag', 'boolean', true),
  field('kDouble', 'double'),
  field('kTime', 'timestamp', true),
]
const VALUES = [
  field('whole', 'long'),
  field('maybe', 'long', true),
  field('name', 'string', true),
  field('when', 'timestamp'),
]
const AGGREGATES = [
  aggregate('n', 'count'),
  aggregate('sumWhole', 'sum', VALUES[0]),
  aggregate('sumMaybe', 'sum', VALUES[1]),
  aggregate('minMaybe', 'min', VALUES[1]),
  aggregate('maxWhole', 'max', VALUES[0]),
  aggregate('avgMaybe', 'avg', VALUES[1]),
  aggregate('minName', 'min', VALUES[2]),
  aggregate('maxName', 'max', VALUES[2]),
  aggregate('last', 'max', VALUES[3]),
  aggregate('avgWhole', 'avg', VALUES[0]),
]
const TEXTS = [
  '',
  'a',
  'b',
  'ab',
  'žluťoučký',
  'kůň',
  '日本',
  '\ud83d\ude00',
  '\ud83d',
  'a much longer key than the others',
  'ÿ',
]

function valueOf(type: FieldType): fc.Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return fc.constantFrom(...TEXTS)
    case 'boolean':
      return fc.boolean()
    case 'double':
      return fc.constantFrom(0, 1.5, -1e300, 2 ** 40 + 0.5, 7)
    default:
      return fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(2 ** 40, -(2 ** 41), 2 ** 31))
  }
}
const arbitraryOf = (one: Field): fc.Arbitrary<unknown> =>
  one.nullable ? fc.option(valueOf(one.type), { nil: null, freq: 3 }) : valueOf(one.type)

type Step =
  | { kind: 'rows'; rows: unknown[][] }
  | { kind: 'fire'; forward: number; budget: number }
  | { kind: 'restore'; parallelism: number }

describe('window table', () => {
  test('over random keys, windows, rows, firings and restores it gives what plain maps of rows give', () => {
    const scenario = fc
      .record({
        keys: fc.subarray([...KEY_FIELDS], { minLength: 1, maxLength: 3 }),
        window: fc.constantFrom(
          { sizeMs: 10, slideMs: 10 },
          { sizeMs: 10, slideMs: 2 },
          { sizeMs: 9, slideMs: 6 },
          { sizeMs: 4, slideMs: 10 },
          { sizeMs: 1, slideMs: 1 },
        ),
      })
      .chain(({ keys, window }) => {
        const row = fc.tuple(
          fc.integer({ min: -15, max: 15 }),
          ...[...keys, ...VALUES].map(arbitraryOf),
        ) as fc.Arbitrary<unknown[]>
        const step: fc.Arbitrary<Step> = fc.oneof(
          {
            weight: 5,
            arbitrary: fc.record({ kind: fc.constant('rows' as const), rows: fc.array(row, { maxLength: 30 }) }),
          },
          {
            weight: 3,
            arbitrary: fc.record({
              kind: fc.constant('fire' as const),
              forward: fc.integer({ min: 0, max: 12 }),
              budget: fc.integer({ min: 1, max: 20 }),
            }),
          },
          {
            weight: 1,
            arbitrary: fc.record({
              kind: fc.constant('restore' as const),
              parallelism: fc.integer({ min: 1, max: 3 }),
            }),
          },
        )
        return fc.record({
          keys: fc.constant(keys),
          window: fc.constant(window),
          steps: fc.array(step, { maxLength: 25 }),
        })
      })
    fc.assert(
      fc.property(scenario, ({ keys, window, steps }) => {
        runScenario(keys, window, steps)
      }),
      { numRuns: 300 },
    )
  })

  test('a sum of longs that would leave the exact range is an error of its row, and the row is in no aggregate', () => {
    const keys = [field('k', 'long')]
    const values = [field('v', 'long')]
    const { rowClass, create } = setUp(keys, values, [aggregate('n', 'count'), aggregate('sum', 'sum', values[0])], {
      sizeMs: 10,
      slideMs: 10,
    })
    const table = create()
    const rows = [new rowClass(0, 1, Number.MAX_SAFE_INTEGER), new rowClass(1, 1, 1), new rowClass(2, 1, -1)]
    const errors: [string, Row][] = []
    table.add(rows, 3, MIN_TIMESTAMP, (error, row) => {
      errors.push([(error as { code: string }).code, row])
    })
    expect(errors).toEqual([['VALUE_INVALID', rows[1]]])
    expect(fireAll(table, MAX_TIMESTAMP, 100)).toEqual([
      { k: 1, windowStart: 0, windowEnd: 10, n: 2, sum: Number.MAX_SAFE_INTEGER - 1 },
    ])
  })

  test('when only the panes together leave the exact range, firing hands the result to the error handler', () => {
    const keys = [field('k', 'long')]
    const values = [field('v', 'long')]
    const { rowClass, create } = setUp(keys, values, [aggregate('sum', 'sum', values[0])], { sizeMs: 10, slideMs: 5 })
    const table = create()
    const rows = [new rowClass(0, 1, Number.MAX_SAFE_INTEGER), new rowClass(5, 1, 7)]
    table.add(rows, 2, MIN_TIMESTAMP, unexpected)
    const refused: Row[] = []
    const emitted: Row[] = []
    while (
      table.fire(
        MAX_TIMESTAMP,
        10,
        (batch, count) => {
          emitted.push(...batch.slice(0, count))
        },
        (_, row) => {
          refused.push(row)
        },
      )
    );
    expect(refused.map((row) => row['windowStart'])).toEqual([0])
    expect(emitted.map((row) => [row['windowStart'], row['sum']])).toEqual([
      [-5, Number.MAX_SAFE_INTEGER],
      [5, 7],
    ])
  })

  test('a key of -0 is the key 0', () => {
    const keys = [field('k', 'double')]
    const { rowClass, create } = setUp(keys, [], [aggregate('n', 'count')], { sizeMs: 10, slideMs: 10 })
    const table = create()
    const rows = [new rowClass(0, 0), new rowClass(0, -0)]
    table.add(rows, 2, MIN_TIMESTAMP, unexpected)
    expect(fireAll(table, MAX_TIMESTAMP, 10)).toEqual([{ k: 0, windowStart: 0, windowEnd: 10, n: 2 }])
  })

  test('thousands of keys survive growing, snapshot and restore', () => {
    const keys = [field('k', 'string')]
    const values = [field('v', 'long')]
    const { rowClass, create } = setUp(keys, values, [aggregate('sum', 'sum', values[0])], {
      sizeMs: 1000,
      slideMs: 1000,
    })
    const rows = Array.from(
      { length: 20_000 },
      (_, n) => new rowClass(n % 1000, `key ${n % 5000} ${n % 7 === 0 ? 'ž' : ''}${n % 5000 === 4000 ? '日' : ''}`, n),
    )
    const first = create()
    first.add(rows, rows.length, MIN_TIMESTAMP, unexpected)
    const second = create()
    restore(second, wholeBlocks(new TableSnapshots(first)))
    expect(second.size()).toBe(first.size())
    const results = fireAll(first, MAX_TIMESTAMP, 64)
    expect(sorted(fireAll(second, MAX_TIMESTAMP, 1000))).toEqual(sorted(results))
    expect(results.reduce((sum, row) => sum + (row['sum'] as number), 0)).toBe((20_000 * 19_999) / 2)
    expect(first.size()).toBe(0)
  })

  test('a snapshot of another shape, or cut short, is refused with a code', () => {
    const keys = [field('k', 'string')]
    const { rowClass, create } = setUp(keys, [], [aggregate('n', 'count')], { sizeMs: 10, slideMs: 10 })
    const other = setUp(keys, [], [aggregate('n', 'count')], { sizeMs: 20, slideMs: 10 })
    const table = create()
    const rows = [new rowClass(0, 'x')]
    table.add(rows, 1, MIN_TIMESTAMP, unexpected)
    const [[group, bytes] = [0, new Uint8Array()]] = wholeBlocks(new TableSnapshots(table))
    expect(() => {
      restore(other.create(), [[group, bytes]])
    }).toThrow(expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }))
    expect(() => {
      restore(create(), [[group, bytes.subarray(0, bytes.length - 8)]])
    }).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
    expect(() => {
      restore(create(), [[group, new Uint8Array(3)]])
    }).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
  })
})

function restore(table: WindowTable, state: readonly GroupState[]): void {
  const snapshots = new TableSnapshots(table)
  for (const [group, bytes] of state) snapshots.restore(group, bytes)
  snapshots.restored()
}

function runScenario(keys: Field[], window: { sizeMs: number; slideMs: number }, steps: readonly Step[]): void {
  const { rowClass, grouper, create } = setUp(keys, VALUES, AGGREGATES, window)
  const plain = new PlainWindow(
    keys.map((key) => key.name),
    window.sizeMs,
    window.slideMs,
    AGGREGATES.map((one) => ({
      name: one.field.name,
      function: one.function as PlainAggregate['function'],
      ...(one.argument?.kind === 'field' ? { argument: one.argument.name } : {}),
    })),
  )
  let tables = [create()]
  let watermark = MIN_TIMESTAMP
  let fired = -16
  for (const step of [...steps, { kind: 'fire' as const, forward: MAX_TIMESTAMP, budget: 7 }]) {
    switch (step.kind) {
      case 'rows': {
        const rows = step.rows.map((values) => new rowClass(...values))
        const groups = new Uint16Array(rows.length)
        grouper(rows, rows.length, groups)
        let late = 0
        tables.forEach((table, slot) => {
          const mine = rows.flatMap((row, index) => ((groups[index] ?? 0) % tables.length === slot ? [row] : []))
          late += table.add(mine, mine.length, watermark, unexpected)
        })
        expect(late).toBe(rows.filter((row) => plain.add(row, row['at'] as number)).length)
        break
      }
      case 'fire': {
        fired = Math.min(MAX_TIMESTAMP, fired + step.forward)
        watermark = fired
        expect(sorted(tables.flatMap((table) => fireAll(table, fired, step.budget)))).toEqual(sorted(plain.fire(fired)))
        break
      }
      case 'restore': {
        const state = tables.flatMap((table) => wholeBlocks(new TableSnapshots(table)))
        tables = Array.from({ length: step.parallelism }, create)
        tables.forEach((table, slot) => {
          restore(
            table,
            state.filter(([group]) => group % tables.length === slot),
          )
        })
        watermark = MIN_TIMESTAMP
      }
    }
  }
}
