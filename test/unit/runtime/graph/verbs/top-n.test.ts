import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { CHECKS } from '../../plan/sample-job.ts'

const BIDS = { auction: 'long', price: 'double?', at: 'timestamp', channel: 'string', raw: 'json?' }

function validate(entry: object): ReturnType<typeof validateJob> {
  return validateJob(
    {
      graph: [
        { id: 'bids', source: 'file', schema: BIDS, eventTime: { field: 'at' } },
        { id: 'op', from: 'bids', ...entry },
        { id: 'out', from: 'op', sink: 'console' },
      ],
    },
    CHECKS,
  )
}

const top = (more: object): object => ({ keyBy: 'auction', topN: { limit: 3, by: 'price', ttl: '1h', ...more } })

describe('a topN that cannot be', () => {
  test.each([
    ['no key', { topN: { limit: 3, by: 'price', ttl: '1h' } }, 'KEY_MISSING', ''],
    ['no number of places', { keyBy: 'auction', topN: { by: 'price', ttl: '1h' } }, 'TYPE_MISMATCH', 'topN.limit'],
    ['no places', top({ limit: 0 }), 'TYPE_MISMATCH', 'topN.limit'],
    ['half a place', top({ limit: 1.5 }), 'TYPE_MISMATCH', 'topN.limit'],
    ['too many places', top({ limit: 1001 }), 'TOO_LARGE', 'topN.limit'],
    ['no field to rank by', { keyBy: 'auction', topN: { limit: 3, ttl: '1h' } }, 'TOP_N_INVALID', 'topN'],
    ['an unknown field', top({ by: 'prize' }), 'UNKNOWN_FIELD', 'topN.by'],
    ['nested values to rank by', top({ by: 'raw' }), 'TYPE_MISMATCH', 'topN.by'],
    [
      'the name of the limit that kubectl reads as false',
      { keyBy: 'auction', topN: { n: 3, by: 'price', ttl: '1h' } },
      'RENAMED',
      'topN.n',
    ],
    ['no fields in a list', top({ by: [] }), 'TOP_N_INVALID', 'topN'],
    ['nested values among several fields', top({ by: ['price', 'raw'] }), 'TYPE_MISMATCH', 'topN.by[1]'],
    ['the same field twice', top({ by: ['price', 'price'] }), 'DUPLICATE_FIELD', 'topN.by[1]'],
    ['a great many fields', top({ by: Array.from({ length: 9 }, () => 'price') }), 'TOO_LARGE', 'topN.by'],
    ['fewer orders than fields', top({ by: ['price', 'at'], order: ['asc'] }), 'TOP_N_INVALID', 'topN.order'],
    [
      'an unknown order of one field',
      top({ by: ['price', 'at'], order: ['asc', 'up'] }),
      'UNKNOWN_VALUE',
      'topN.order[1]',
    ],
    ['an unknown order', top({ order: 'down' }), 'UNKNOWN_VALUE', 'topN.order'],
    ['a rank that is a field already', top({ rank: 'price' }), 'DUPLICATE_FIELD', 'topN.rank'],
    ['a rank that is not a name', top({ rank: 'a b' }), 'FIELD_NAME_INVALID', 'topN.rank'],
    ['a time to live of nothing', top({ ttl: '0s' }), 'DURATION_INVALID', 'topN.ttl'],
    ['a time when it comes that is not known', top({ emit: 'last' }), 'UNKNOWN_VALUE', 'topN.emit'],
    ['the end of a key that has no time', top({ emit: 'final', ttl: undefined }), 'TOP_N_INVALID', 'topN.emit'],
    [
      'an end and a time to live',
      { keyBy: 'at', topN: { limit: 3, by: 'price', ttl: '1h', emit: 'final' } },
      'TOP_N_INVALID',
      'topN.ttl',
    ],
    ['an unknown option', top({ size: 3 }), 'UNKNOWN_FIELD', 'topN.size'],
  ])('with %s is refused with its code and place', (_what, entry, code, path) => {
    const result = validate(entry)
    expect('problems' in result ? result.problems : []).toContainEqual(
      expect.objectContaining({ code, path: `spec.graph[1]${path === '' ? '' : `.${path}`}` }),
    )
  })
})

describe('a topN', () => {
  test('puts the rank behind the fields when it is named', () => {
    const names = (entry: object): string[] => {
      const result = validate(entry)
      if ('problems' in result) throw new Error(JSON.stringify(result.problems))
      return (result.graph.operators.find(({ id }) => id === 'op')?.schema.fields ?? []).map((field) => field.name)
    }
    expect(names(top({}))).toEqual(Object.keys(BIDS))
    expect(names(top({ rank: 'place' }))).toEqual([...Object.keys(BIDS), 'place'])
  })

  test('without a time to live is warned of', () => {
    const result = validate({ keyBy: 'auction', topN: { limit: 3, by: 'price' } })
    expect('problems' in result ? result.problems : result.warnings).toMatchObject([
      { code: 'STATE_UNBOUNDED', path: 'spec.graph[1].topN' },
    ])
  })
})
