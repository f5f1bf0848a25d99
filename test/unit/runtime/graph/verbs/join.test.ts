import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { executionPlan } from '../../../../../runtime/plan/chaining.ts'
import { bedGraph } from '../../../../harness/operator-bed.ts'
import { CHECKS } from '../../plan/sample-job.ts'

const BIDS = { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' }
const AUCTIONS = { id: 'long', reserve: 'double', opened: 'timestamp', name: 'string?', seller: 'string' }

interface Options {
  bids?: object
  from?: string[]
  timeless?: boolean
}

function spec(join: unknown, { bids = BIDS, from = ['bids', 'auctions'], timeless = false }: Options = {}): object {
  return {
    graph: [
      { id: 'bids', source: 'file', schema: bids, eventTime: { field: 'at' } },
      { id: 'auctions', source: 'file', schema: AUCTIONS, ...(timeless ? {} : { eventTime: { field: 'opened' } }) },
      { id: 'both', from, join },
      { id: 'out', from: 'both', sink: 'console' },
      ...(from.length < 2 ? [{ id: 'rest', from: 'auctions', sink: 'console' }] : []),
    ],
  }
}

function found(join: unknown, options?: Options): { code: string; path: string; message: string; hint?: string }[] {
  const result = validateJob(spec(join, options), CHECKS)
  return 'problems' in result ? [...result.problems] : []
}

function schemaOf(join: object): string[] {
  const result = validateJob(spec(join), CHECKS)
  if ('problems' in result) throw new Error(JSON.stringify(result.problems))
  return (result.graph.operators.find(({ id }) => id === 'both')?.schema.fields ?? []).map(
    ({ name, type, nullable }) => `${name}: ${type}${nullable ? '?' : ''}`,
  )
}

const ON = { auction: 'id' }

describe('a join that cannot be', () => {
  test.each([
    ['no key', { ttl: '1h' }, 'KEY_MISSING', 'join'],
    ['keys of different types', { keyBy: { channel: 'id' }, ttl: '1h' }, 'TYPE_MISMATCH', 'join.keyBy.channel'],
    [
      'a date beside a long',
      { keyBy: { day: 'id' }, ttl: '1h' },
      'TYPE_MISMATCH',
      'join.keyBy.day',
      { bids: { ...BIDS, day: 'date' } },
    ],
    [
      'a decimal beside a string',
      { keyBy: { amount: 'seller' }, ttl: '1h' },
      'TYPE_MISMATCH',
      'join.keyBy.amount',
      { bids: { ...BIDS, amount: 'decimal(10,2)' } },
    ],
    [
      'a key that is an expression',
      { keyBy: { 'Math.random()': 'id' }, ttl: '1h' },
      'KEY_INVALID',
      'join.keyBy["Math.random()"]',
    ],
    [
      'a key that is not a field of the left',
      { keyBy: { auctoin: 'id' }, ttl: '1h' },
      'UNKNOWN_FIELD',
      'join.keyBy.auctoin',
    ],
    [
      'a key that is not a field of the right',
      { keyBy: { auction: 'idd' }, ttl: '1h' },
      'UNKNOWN_FIELD',
      'join.keyBy.auction',
    ],
    ['one name that only the left has', { keyBy: 'auction', ttl: '1h' }, 'UNKNOWN_FIELD', 'join.keyBy'],
    ['an unknown type', { keyBy: ON, type: 'outer', ttl: '1h' }, 'UNKNOWN_VALUE', 'join.type'],
    ['the name of the keys that kubectl reads as true', { on: ON, ttl: '1h' }, 'RENAMED', 'join.on'],
    ['an unknown option', { keyBy: ON, ttl: '1h', windows: 1 }, 'UNKNOWN_FIELD', 'join.windows'],
    ['two bounds', { keyBy: ON, ttl: '1h', window: { tumble: '1s' } }, 'JOIN_INVALID', 'join'],
    ['a left join without end', { keyBy: ON, type: 'left', ttl: '1h' }, 'JOIN_UNSUPPORTED', 'join.type'],
    ['an anti join without end', { keyBy: ON, type: 'anti', ttl: 'forever' }, 'JOIN_UNSUPPORTED', 'join.type'],
    ['a time to live of nothing', { keyBy: ON, ttl: '0s' }, 'DURATION_INVALID', 'join.ttl'],
    ['a time to live that is not a duration', { keyBy: ON, ttl: 'ever' }, 'DURATION_INVALID', 'join.ttl'],
    ['an interval that says nothing', { keyBy: ON, within: {} }, 'JOIN_INVALID', 'join.within'],
    [
      'a window that hops over its own end',
      { keyBy: ON, window: { hop: '10s', size: '1s' } },
      'WINDOW_INVALID',
      'join.window',
    ],
    ['a window without size', { keyBy: ON, window: { hop: '10s' } }, 'WINDOW_INVALID', 'join.window'],
    ['a condition that is none', { keyBy: ON, ttl: '1h', where: 'left.price' }, 'EXPRESSION_TYPE', 'join.where'],
    [
      'a condition over an unknown field',
      { keyBy: ON, ttl: '1h', where: 'left.cost > 1' },
      'UNKNOWN_FIELD',
      'join.where',
    ],
    [
      'a selected field that is not there',
      { keyBy: ON, ttl: '1h', select: { seller: 'right.sellr' } },
      'UNKNOWN_FIELD',
      'join.select.seller',
    ],
    [
      'a selection that changes from run to run',
      { keyBy: ON, ttl: '1h', select: { now: 'Date.now()' } },
      'EXPRESSION_FORBIDDEN',
      'join.select.now',
    ],
    [
      'the right side of a semi join',
      { keyBy: ON, type: 'semi', ttl: '1h', select: { seller: 'right.seller' } },
      'UNKNOWN_FIELD',
      'join.select.seller',
    ],
    [
      'a bound of the window as a field',
      { keyBy: ON, window: { tumble: '1s' }, select: { windowEnd: 'left.at' } },
      'DUPLICATE_FIELD',
      'join.select.windowEnd',
    ],
    ['nothing selected', { keyBy: ON, ttl: '1h', select: {} }, 'TOO_LARGE', 'join.select'],
    ['a text instead of options', 'auction', 'TYPE_MISMATCH', 'join'],
    ['a text instead of an interval', { keyBy: ON, within: '1s' }, 'JOIN_INVALID', 'join.within'],
  ])('%s is refused', (_, join, code, path, options: Options = {}) => {
    expect(found(join, options).map((problem) => [problem.code, problem.path])).toEqual([
      [code, `spec.graph[2].${path}`],
    ])
  })

  test('one input is refused', () => {
    expect(found({ keyBy: ON, ttl: '1h' }, { from: ['bids'] })).toEqual([
      expect.objectContaining({ code: 'INPUT_MISSING', path: 'spec.graph[2].from' }),
    ])
  })

  test('a window over an input without event time is refused and says which', () => {
    expect(found({ keyBy: ON, within: { before: '1s' } }, { timeless: true })).toEqual([
      expect.objectContaining({
        code: 'EVENT_TIME_MISSING',
        path: 'spec.graph[2].join.within',
        message: expect.stringContaining('"auctions" has none'),
      }),
    ])
  })

  test('fields that both sides have are refused with what to write', () => {
    expect(found({ keyBy: ON, ttl: '1h' }, { bids: { ...BIDS, seller: 'string' } })).toEqual([
      expect.objectContaining({
        code: 'DUPLICATE_FIELD',
        path: 'spec.graph[2].join.select',
        hint: expect.stringContaining('seller: left.seller'),
      }),
    ])
  })
})

test('a join without any bound is sound, and is warned of its cost', () => {
  const result = validateJob(spec({ keyBy: ON }), CHECKS)
  expect('warnings' in result && result.warnings).toEqual([
    expect.objectContaining({
      code: 'JOIN_UNBOUNDED',
      path: 'spec.graph[2].join',
      message: expect.stringContaining('for ever'),
    }),
  ])
  const forever = validateJob(spec({ keyBy: ON, ttl: 'forever' }), CHECKS)
  expect('warnings' in forever && forever.warnings).toEqual([])
})

describe('what comes out', () => {
  test.each([
    [
      'inner',
      [
        'auction: long',
        'price: long',
        'at: timestamp',
        'channel: string',
        'id: long',
        'reserve: double',
        'opened: timestamp',
        'name: string?',
        'seller: string',
      ],
    ],
    [
      'left',
      [
        'auction: long',
        'price: long',
        'at: timestamp',
        'channel: string',
        'id: long?',
        'reserve: double?',
        'opened: timestamp?',
        'name: string?',
        'seller: string?',
      ],
    ],
    [
      'full',
      [
        'auction: long?',
        'price: long?',
        'at: timestamp?',
        'channel: string?',
        'id: long?',
        'reserve: double?',
        'opened: timestamp?',
        'name: string?',
        'seller: string?',
      ],
    ],
    ['anti', ['auction: long', 'price: long', 'at: timestamp', 'channel: string']],
  ])('of a %s join are all fields of the sides it has, nullable where a match may be missing', (type, fields) => {
    expect(schemaOf({ keyBy: ON, type, within: { after: '1s' } })).toEqual(fields)
  })

  test('of a window join are also the bounds, and inputs go by their ids', () => {
    expect(
      schemaOf({
        keyBy: ON,
        window: { tumble: '1s' },
        where: 'bids.price > auctions.reserve',
        select: { seller: 'auctions.seller', price: 'bids.price' },
      }),
    ).toEqual(['seller: string', 'price: long', 'windowStart: timestamp', 'windowEnd: timestamp'])
  })

  test('over the exchanges go only the fields that the join reads', () => {
    const graph = bedGraph({
      graph: [
        { id: 'bids', source: 'list', schema: BIDS, eventTime: { field: 'at' } },
        { id: 'auctions', source: 'list', schema: AUCTIONS, eventTime: { field: 'opened' } },
        {
          id: 'both',
          from: ['bids', 'auctions'],
          join: {
            keyBy: ON,
            within: { before: '1s' },
            where: 'left.price > right.reserve',
            select: { name: 'right.name' },
          },
        },
        { id: 'out', from: 'both', sink: 'console' },
      ],
    })
    expect(executionPlan(graph).exchanges.map(({ schema }) => schema.fields.map(({ name }) => name))).toEqual([
      ['auction', 'price', 'at'],
      ['id', 'reserve', 'opened', 'name'],
    ])
  })
})

describe('select with all fields of a side', () => {
  const within = { keyBy: ON, ttl: '1h' }

  test('gives them under their names or behind a prefix, and what is written out counts', () => {
    expect(
      schemaOf({
        ...within,
        select: { '*': 'left.*', 'of_*': 'auctions.*', of_name: 'right.seller', price: 'left.price * 2' },
      }),
    ).toEqual([
      'auction: long',
      'at: timestamp',
      'channel: string',
      'of_id: long',
      'of_reserve: double',
      'of_opened: timestamp',
      'of_seller: string',
      'of_name: string',
      'price: long',
    ])
  })

  test('makes those of a side that may lack a match nullable', () => {
    expect(
      schemaOf({ keyBy: ON, type: 'left', within: { after: '1s' }, select: { at: 'left.at', '*': 'right.*' } }).slice(
        1,
      ),
    ).toEqual(['id: long?', 'reserve: double?', 'opened: timestamp?', 'name: string?', 'seller: string?'])
  })

  test.each([
    ['a side that is not there', { '*': 'rihgt.*' }, 'JOIN_INVALID'],
    ['one field for all', { everything: 'left.*' }, 'JOIN_INVALID'],
    ['all fields from one', { 'of_*': 'right.name' }, 'JOIN_INVALID'],
  ])('%s', (_, select, code) => {
    expect(found({ ...within, select }).map((problem) => problem.code)).toEqual([code])
  })

  test('refuses a name that comes twice', () => {
    const bids = { ...BIDS, of_name: 'string' }
    const codes = (select: object): string[] => found({ ...within, select }, { bids }).map(({ code }) => code)
    expect(codes({ '*': 'left.*', 'of_*': 'right.*' })).toEqual(['DUPLICATE_FIELD'])
    expect(codes({ '*': 'left.*', 'of_*': 'right.*', of_name: 'right.name' })).toEqual([])
  })

  test('an interval that ends before it begins is refused', () => {
    expect(found({ keyBy: ON, within: { before: '-5s', after: '4s' } })).toMatchObject([
      { code: 'JOIN_INVALID', message: expect.stringContaining('from 5000 ms to 4000 ms') },
    ])
  })
})
