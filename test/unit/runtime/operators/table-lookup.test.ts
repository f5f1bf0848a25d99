import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import type { TableAsked } from '../../../../runtime/operators/operator-context.ts'
import type { TableContext } from '../../../../runtime/connectors/table.ts'
import type { Table, TableRow } from '../../../../runtime/ports/table.ts'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { OperatorBed } from '../../../harness/operator-bed.ts'

const SELLERS = [
  { seller: 1, name: 'Ann' },
  { seller: 2, name: 'Bob' },
]

function jobWith(join: object): object {
  return {
    graph: [
      {
        id: 'in',
        source: { values: [] },
        schema: { id: 'long', owner: 'long?' },
      },
      { id: 'op', from: 'in', join },
      { id: 'out', from: 'op', sink: { console: {} } },
    ],
  }
}

function problemsOf(join: object): { code: string; path: string; message: string }[] {
  const checked = validateJob(jobWith(join), builtinConnectors)
  return 'graph' in checked ? [] : checked.problems.map(({ code, path, message }) => ({ code, path, message }))
}

/** The lookup of `values` is compiled as any other; which table it gets, the test says. */
function bedOf(join: object, find: Table['find'], clock = new ManualClock()) {
  const checked = validateJob(jobWith(join), builtinConnectors)
  if (!('graph' in checked)) throw new Error(JSON.stringify(checked.problems))
  const opened: TableAsked[] = []
  let closed = 0
  const bed = new OperatorBed(checked.graph, 'op', {
    clock,
    openTable: async (asked) => {
      opened.push(asked)
      return {
        find,
        close: async () => {
          closed += 1
        },
      }
    },
  })
  const put = async (...rows: { id: number; owner: number | null }[]): Promise<void> => {
    await bed.process(rows)
    await bed.stage.drain?.()
  }
  return { bed, opened, put, clock, closed: () => closed }
}

const LOOKUP = { values: SELLERS, key: { seller: 'owner' }, output: { name: 'string' } }
const findSeller: Table['find'] = async ([seller]) => SELLERS.filter((row) => row.seller === seller)

describe('a lookup in a table of a connector', () => {
  test('when the table has the row, its columns stand behind the fields; inner leaves out the others', async () => {
    const { bed, put } = bedOf({ lookup: LOOKUP }, findSeller)
    await put({ id: 1, owner: 2 }, { id: 2, owner: 9 }, { id: 3, owner: 1 })
    expect(bed.out.rows).toEqual([
      { id: 1, owner: 2, name: 'Bob' },
      { id: 3, owner: 1, name: 'Ann' },
    ])
    expect(bed.errors).toEqual([])
  })

  test('when the type is left, a row without a match has nulls, and null is looked up nowhere', async () => {
    const asked: unknown[] = []
    const { bed, put } = bedOf({ type: 'left', lookup: LOOKUP }, async (values, signal) => {
      asked.push(...values)
      return findSeller(values, signal)
    })
    await put({ id: 1, owner: 9 }, { id: 2, owner: null }, { id: 3, owner: 1 })
    expect(bed.out.rows).toEqual([
      { id: 1, owner: 9, name: null },
      { id: 2, owner: null, name: null },
      { id: 3, owner: 1, name: 'Ann' },
    ])
    expect(asked).toEqual([9, 1])
  })

  test('when the table has two rows for a key, the row is an error that names the key', async () => {
    const { bed, put } = bedOf({ lookup: LOOKUP }, async () => [{ name: 'a' }, { name: 'b' }])
    await put({ id: 1, owner: 7 })
    expect(bed.out.rows).toEqual([])
    expect(bed.errors.map(({ error }) => [error.code, error.message])).toEqual([
      ['LOOKUP_AMBIGUOUS', 'the table has several rows for seller 7'],
    ])
  })

  test('when a value of the table does not fit the declared type, the row is an error that names the column', async () => {
    const { bed, put } = bedOf({ lookup: LOOKUP }, async () => [{ name: 5 }])
    await put({ id: 1, owner: 7 })
    expect(bed.errors.map(({ error }) => error.code)).toEqual(['VALUE_INVALID'])
    expect(bed.errors[0]?.error.message).toContain('name')
  })

  test('kept answers, also that there is none, are asked for again when their time is over', async () => {
    let asked = 0
    const find: Table['find'] = async (values, signal): Promise<readonly TableRow[]> => {
      asked += 1
      return findSeller(values, signal)
    }
    const { put, clock } = bedOf({ lookup: { ...LOOKUP, cache: { rows: 10, ttl: '1s' } } }, find)
    await put({ id: 1, owner: 1 }, { id: 2, owner: 9 })
    await put({ id: 3, owner: 1 }, { id: 4, owner: 9 })
    expect(asked).toBe(2)
    await clock.advance(1000)
    await put({ id: 5, owner: 1 }, { id: 6, owner: 9 })
    expect(asked).toBe(4)
  })

  test('with room for one answer, it is the last one that is kept', async () => {
    const asked: unknown[] = []
    const { bed, put } = bedOf(
      { type: 'left', lookup: { ...LOOKUP, cache: { rows: 1, ttl: '1h' } } },
      async (values, signal) => {
        asked.push(...values)
        return findSeller(values, signal)
      },
    )
    for (const owner of [1, 1, null, 2, 2, 1]) await put({ id: 0, owner })
    expect(bed.out.rows.map(({ name }) => name)).toEqual(['Ann', 'Ann', null, 'Bob', 'Bob', 'Ann'])
    expect(asked).toEqual([1, 2, 1])
  })

  test('a stage that is closed before its table was opened opens none, and one that is closed while it opens closes it', async () => {
    const never = bedOf({ lookup: LOOKUP }, findSeller)
    await never.bed.stage.close?.()
    expect(never.opened).toEqual([])
    const opening = bedOf({ lookup: LOOKUP }, findSeller)
    await opening.clock.advance(1)
    const mails = opening.bed.runMails()
    await Promise.all([opening.bed.stage.close?.(), mails])
    expect(opening.closed()).toBe(opening.opened.length)
  })

  test('the table is opened once, when the subtask runs, and closed with it', async () => {
    const { bed, opened, put, clock, closed } = bedOf({ lookup: LOOKUP }, findSeller)
    expect(opened).toEqual([])
    await clock.advance(1)
    await bed.runMails()
    await put({ id: 1, owner: 1 })
    expect(
      opened.map(({ connector, key }) => [connector, key.map(({ column, field }) => [column, field.name])]),
    ).toEqual([['values', [['seller', 'owner']]]])
    await bed.stage.close?.()
    expect(closed()).toBe(1)
  })

  test('a table that cannot be opened fails the subtask, not single rows', async () => {
    const checked = validateJob(jobWith({ lookup: LOOKUP }), builtinConnectors)
    if (!('graph' in checked)) throw new Error('refused')
    const clock = new ManualClock()
    const bed = new OperatorBed(checked.graph, 'op', {
      clock,
      openTable: () => Promise.reject(new MillraceError('TABLE_MISSING', 'there is no table sellers')),
    })
    await clock.advance(1)
    await expect(bed.runMails()).rejects.toThrow('there is no table sellers')
  })

  test.each([
    ['no key', { values: SELLERS, output: { name: 'string' } }, 'KEY_MISSING', 'graph[1].join.lookup.key'],
    [
      'a key of a field that is not there',
      { ...LOOKUP, key: { seller: 'ownr' } },
      'UNKNOWN_FIELD',
      'graph[1].join.lookup.key.seller',
    ],
    [
      'a column twice in the key',
      { ...LOOKUP, key: ['owner', 'owner'] },
      'DUPLICATE_FIELD',
      'graph[1].join.lookup.key',
    ],
    [
      'an option that is not known',
      { ...LOOKUP, values: { row: [] } },
      'OPTION_INVALID',
      'graph[1].join.lookup.values.row',
    ],
    ['two tables', { ...LOOKUP, http: { url: 'http://x/{id}' } }, 'CALL_MISSING', 'graph[1].join.lookup'],
    [
      'a column the row has already',
      { ...LOOKUP, output: { id: 'long' } },
      'DUPLICATE_FIELD',
      'graph[1].join.lookup.output.id',
    ],
    [
      'a value without its key column',
      { ...LOOKUP, values: [{ name: 'Ann' }] },
      'OPTION_INVALID',
      'graph[1].join.lookup.values.rows[0]',
    ],
  ])('%s is a problem with its path', (_, lookup, code, path) => {
    expect(problemsOf({ lookup })).toContainEqual(
      expect.objectContaining({ code, path: expect.stringContaining(path) }),
    )
  })
})

describe('the table of values', () => {
  test('reads its rows by their types, so that decimals and times are found by what they mean', async () => {
    const connector = await builtinConnectors.table('values', {
      rows: [
        { price: '1.5', at: '2026-01-02T00:00:00Z', tag: 'a' },
        { price: 2, at: 0, tag: 'b' },
      ],
    })
    const context: Pick<TableContext, 'key' | 'output'> = {
      key: [
        {
          column: 'price',
          field: { name: 'x', type: 'string', nullable: false, logical: { kind: 'decimal', precision: 9, scale: 2 } },
        },
      ],
      output: [
        { name: 'tag', type: 'string', nullable: false },
        { name: 'at', type: 'timestamp', nullable: false },
      ],
    }
    const table = await connector.open(context as TableContext)
    const { signal } = new AbortController()
    expect(await table.find(['1.50'], signal)).toEqual([{ price: '1.50', tag: 'a', at: Date.UTC(2026, 0, 2) }])
    expect(await table.find(['2.00'], signal)).toEqual([{ price: '2.00', tag: 'b', at: 0 }])
    expect(await table.find(['3.00'], signal)).toEqual([])
  })
})
