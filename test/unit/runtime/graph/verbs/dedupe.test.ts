import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { CHECKS } from '../../plan/sample-job.ts'

const BIDS = { auction: 'long', price: 'double?', at: 'timestamp', channel: 'string', raw: 'json?' }

function validate(entry: object, timeless = false): ReturnType<typeof validateJob> {
  return validateJob(
    {
      graph: [
        { id: 'bids', source: 'file', schema: BIDS, ...(timeless ? {} : { eventTime: { field: 'at' } }) },
        { id: 'op', from: 'bids', ...entry },
        { id: 'out', from: 'op', sink: 'console' },
      ],
    },
    CHECKS,
  )
}

function found(entry: object, timeless?: boolean): { code: string; path: string; message: string; hint?: string }[] {
  const result = validate(entry, timeless)
  return 'problems' in result ? [...result.problems] : []
}

const KEYED = { keyBy: 'auction' }

describe('a dedupe that cannot be', () => {
  test.each([
    ['no key', { dedupe: { keep: 'first', ttl: '1h' } }, 'KEY_MISSING', ''],
    ['a key that is not a field', { keyBy: 'aution', dedupe: { keep: 'first', ttl: '1h' } }, 'UNKNOWN_FIELD', 'keyBy'],
    [
      'a key that differs from run to run',
      { keyBy: 'Math.random()', dedupe: { keep: 'first', ttl: '1h' } },
      'KEY_INVALID',
      'keyBy',
    ],
    ['a json key', { keyBy: 'raw', dedupe: { keep: 'first', ttl: '1h' } }, 'TYPE_MISMATCH', 'keyBy'],
    ['no rule', { ...KEYED, dedupe: { ttl: '1h' } }, 'DEDUPE_INVALID', 'dedupe.keep'],
    ['an unknown rule', { ...KEYED, dedupe: { keep: 'newest', ttl: '1h' } }, 'UNKNOWN_VALUE', 'dedupe.keep'],
    [
      'an order for the first',
      { ...KEYED, dedupe: { keep: 'first', orderBy: 'at', ttl: '1h' } },
      'DEDUPE_INVALID',
      'dedupe.orderBy',
    ],
    [
      'an order by an unknown field',
      { ...KEYED, dedupe: { keep: 'last', orderBy: 'att', ttl: '1h' } },
      'UNKNOWN_FIELD',
      'dedupe.orderBy',
    ],
    [
      'an order by text',
      { ...KEYED, dedupe: { keep: 'last', orderBy: 'channel', ttl: '1h' } },
      'TYPE_MISMATCH',
      'dedupe.orderBy',
    ],
    [
      'a time to live that is not a duration',
      { ...KEYED, dedupe: { keep: 'first', ttl: 'long' } },
      'DURATION_INVALID',
      'dedupe.ttl',
    ],
    ['a time to live of nothing', { ...KEYED, dedupe: { keep: 'first', ttl: '0s' } }, 'DURATION_INVALID', 'dedupe.ttl'],
    ['an unknown option', { ...KEYED, dedupe: { keep: 'first', ttl: '1h', by: 'at' } }, 'UNKNOWN_FIELD', 'dedupe.by'],
    ['a text for options', { ...KEYED, dedupe: 'first' }, 'TYPE_MISMATCH', 'dedupe'],
  ])('with %s is refused with its code and place', (_what, entry, code, path) => {
    expect(found(entry)).toContainEqual(
      expect.objectContaining({ code, path: `spec.graph[1]${path === '' ? '' : `.${path}`}` }),
    )
  })

  test('when the last is kept without event time or orderBy, it says what to declare', () => {
    expect(found({ ...KEYED, dedupe: { keep: 'last', ttl: '1h' } }, true)).toMatchObject([
      { code: 'EVENT_TIME_MISSING', hint: expect.stringContaining('orderBy') },
    ])
    expect(found({ ...KEYED, dedupe: { keep: 'last', orderBy: 'price', ttl: '1h' } }, true)).toEqual([])
  })
})

describe('a dedupe', () => {
  test("passes its input's fields and event time on and is keyed", () => {
    const result = validate({ keyBy: ['auction', 'channel'], dedupe: { keep: 'last', ttl: '2h' } })
    if ('problems' in result) throw new Error(JSON.stringify(result.problems))
    const node = result.graph.operators.find(({ id }) => id === 'op')
    expect(node).toMatchObject({
      keyBy: ['auction', 'channel'],
      verb: { kind: 'dedupe', keep: { which: 'last', orderBy: 'at' }, ttlMs: 7_200_000 },
    })
    expect(node?.schema).toEqual(result.graph.operators[0]?.schema)
  })

  test('without a time to live is warned of', () => {
    const result = validate({ ...KEYED, dedupe: { keep: 'first' } })
    expect('problems' in result ? result.problems : result.warnings).toMatchObject([
      { code: 'STATE_UNBOUNDED', path: 'spec.graph[1].dedupe' },
    ])
    const forever = validate({ ...KEYED, dedupe: { keep: 'first', ttl: 'forever' } })
    expect('problems' in forever ? forever.problems : forever.warnings).toEqual([])
  })
})
