import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { CHECKS } from '../../plan/sample-job.ts'

const PAYMENTS = { card: 'string', amount: 'double', kind: 'string?', at: 'timestamp', raw: 'json?' }
const SMALL = { name: 'small', where: 'amount < 5' }
const BIG = { name: 'big', where: 'amount > 500' }
const SELECT = { card: 'card', at: 'match.time' }

function validate(
  pattern: unknown,
  { timeless = false, more = {}, extra = [] as object[] } = {},
): ReturnType<typeof validateJob> {
  return validateJob(
    {
      graph: [
        { id: 'payments', source: 'file', schema: PAYMENTS, ...(timeless ? {} : { eventTime: { field: 'at' } }) },
        { id: 'op', from: 'payments', keyBy: 'card', pattern, ...more },
        { id: 'out', from: 'op', sink: 'console' },
        ...extra,
      ],
    },
    CHECKS,
  )
}

function found(
  pattern: unknown,
  options?: Parameters<typeof validate>[1],
): { code: string; path: string; message: string; hint?: string }[] {
  const result = validate(pattern, options)
  return 'problems' in result ? [...result.problems] : []
}

const withSteps = (...steps: unknown[]): object => ({ steps, within: '10m', select: SELECT })

describe('a pattern that cannot be', () => {
  test.each<[string, unknown, string, string]>([
    ['a text for options', 'small big', 'TYPE_MISMATCH', ''],
    ['no steps', { within: '1m', select: SELECT }, 'TYPE_MISMATCH', '.steps'],
    ['an empty list of steps', withSteps(), 'TOO_LARGE', '.steps'],
    ['an unknown option', { ...withSteps(SMALL), skip: 'noSkip' }, 'UNKNOWN_FIELD', '.skip'],
    ['nothing selected', { steps: [SMALL], within: '1m' }, 'PATTERN_INVALID', '.select'],
    ['an unknown option of a step', withSteps({ ...SMALL, time: 3 }), 'UNKNOWN_FIELD', '.steps[0].time'],
    ['a step without a name', withSteps({ where: 'amount < 5' }), 'TYPE_MISMATCH', '.steps[0].name'],
    ['a name that is not an identifier', withSteps({ ...SMALL, name: 'a-b' }), 'STEP_NAME_INVALID', '.steps[0].name'],
    ['a name twice', withSteps(SMALL, SMALL), 'STEP_NAME_INVALID', '.steps[1].name'],
    ['a step called as a field is', withSteps({ ...SMALL, name: 'amount' }), 'STEP_NAME_INVALID', '.steps[0].name'],
    ['a step called match', withSteps({ ...SMALL, name: 'match' }), 'STEP_NAME_INVALID', '.steps[0].name'],
    [
      'a condition over an unknown field',
      withSteps({ ...SMALL, where: 'amout < 5' }),
      'UNKNOWN_FIELD',
      '.steps[0].where',
    ],
    [
      'a condition that is not a boolean',
      withSteps({ ...SMALL, where: 'amount' }),
      'EXPRESSION_TYPE',
      '.steps[0].where',
    ],
    [
      'a condition over a later step',
      withSteps({ ...SMALL, where: 'amount < big.amount' }, BIG),
      'UNKNOWN_FIELD',
      '.steps[0].where',
    ],
    [
      'an unknown field of a step',
      withSteps(SMALL, { ...BIG, where: 'amount > small.last.amout' }),
      'UNKNOWN_FIELD',
      '.steps[1].where',
    ],
    [
      'an unknown total of a step',
      withSteps(SMALL, { ...BIG, where: 'amount > small.median(amount)' }),
      'UNKNOWN_FUNCTION',
      '.steps[1].where',
    ],
    [
      'a total over a text',
      withSteps(SMALL, { ...BIG, where: 'amount > small.sum(kind)' }),
      'EXPRESSION_TYPE',
      '.steps[1].where',
    ],
    [
      'a total over an unknown field',
      withSteps(SMALL, { ...BIG, where: 'amount > small.sum(amout)' }),
      'UNKNOWN_FIELD',
      '.steps[1].where',
    ],
    ['a number that is none', withSteps({ ...SMALL, times: 'many' }), 'TIMES_INVALID', '.steps[0].times'],
    ['no rows', withSteps({ ...SMALL, times: 0 }), 'TIMES_INVALID', '.steps[0].times'],
    ['a range that ends before it begins', withSteps({ ...SMALL, times: '4..2' }), 'TIMES_INVALID', '.steps[0].times'],
    ['too many rows', withSteps({ ...SMALL, times: '2000+' }), 'TIMES_INVALID', '.steps[0].times'],
    ['a flag that is a text', withSteps({ ...SMALL, optional: 'yes' }), 'TYPE_MISMATCH', '.steps[0].optional'],
    ['an unknown contiguity', withSteps(SMALL, { ...BIG, follows: 'then' }), 'UNKNOWN_VALUE', '.steps[1].follows'],
    ['a first step that follows', withSteps({ ...SMALL, follows: 'next' }), 'PATTERN_INVALID', '.steps[0].follows'],
    ['a first step that must not come', withSteps({ ...SMALL, not: true }, BIG), 'PATTERN_INVALID', '.steps[0].not'],
    ['a loop of one row', withSteps({ ...SMALL, loop: 'strict' }), 'PATTERN_INVALID', '.steps[0].loop'],
    ['greed for one row', withSteps({ ...SMALL, greedy: true }, BIG), 'PATTERN_INVALID', '.steps[0].greedy'],
    [
      'greed for an exact number',
      withSteps({ ...SMALL, times: 3, greedy: true }, BIG),
      'PATTERN_INVALID',
      '.steps[0].greedy',
    ],
    [
      'greed at the end',
      withSteps(BIG, { ...SMALL, times: '3+', greedy: true }),
      'PATTERN_INVALID',
      '.steps[1].greedy',
    ],
    [
      'greed before followedByAny',
      withSteps({ ...SMALL, times: '3+', greedy: true }, { ...BIG, follows: 'followedByAny' }),
      'PATTERN_INVALID',
      '.steps[1].follows',
    ],
    [
      'greed over combinations',
      withSteps({ ...SMALL, times: '3+', greedy: true, loop: 'combinations' }, BIG),
      'PATTERN_INVALID',
      '.steps[0].greedy',
    ],
    ['not with a number', withSteps(BIG, { ...SMALL, not: true, times: 3 }), 'PATTERN_INVALID', '.steps[1].times'],
    ['not without a condition', withSteps(BIG, { name: 'none', not: true }), 'PATTERN_INVALID', '.steps[1]'],
    [
      'not behind an optional step',
      withSteps(BIG, { ...SMALL, optional: true }, { name: 'none', where: 'amount === 0', not: true }),
      'PATTERN_INVALID',
      '.steps[2].not',
    ],
    [
      'two nots together',
      withSteps(BIG, { ...SMALL, not: true }, { name: 'none', where: 'amount === 0', not: true }),
      'PATTERN_INVALID',
      '.steps[2].not',
    ],
    [
      'not before optional steps only',
      withSteps(BIG, { ...SMALL, not: true }, { name: 'end', optional: true }),
      'PATTERN_INVALID',
      '.steps[1].not',
    ],
    [
      'not next at the end',
      withSteps(BIG, { ...SMALL, not: true, follows: 'next' }),
      'PATTERN_INVALID',
      '.steps[1].follows',
    ],
    [
      'not at the end without within',
      { steps: [BIG, { ...SMALL, not: true }], select: SELECT },
      'PATTERN_INVALID',
      '.within',
    ],
    ['within nothing', { ...withSteps(SMALL), within: '0s' }, 'DURATION_INVALID', '.within'],
    ['within no duration', { ...withSteps(SMALL), within: 'soon' }, 'DURATION_INVALID', '.within'],
    ['an unknown strategy', { ...withSteps(SMALL), after: 'skipPastlast' }, 'UNKNOWN_VALUE', '.after'],
    [
      'a skip to an unknown step',
      { ...withSteps(SMALL), after: { skipToFirst: 'smal' } },
      'STEP_UNKNOWN',
      '.after.skipToFirst',
    ],
    [
      'a skip to a step that must not come',
      { ...withSteps(BIG, { ...SMALL, not: true }), after: { skipToLast: 'small' } },
      'STEP_UNKNOWN',
      '.after.skipToLast',
    ],
    [
      'two skips',
      { ...withSteps(SMALL), after: { skipToFirst: 'small', skipToLast: 'small' } },
      'PATTERN_INVALID',
      '.after',
    ],
    ['a limit that is none', { ...withSteps(SMALL), maxRuns: 0 }, 'TYPE_MISMATCH', '.maxRuns'],
    [
      'a field of no step selected',
      { ...withSteps(SMALL), select: { amount: 'amount' } },
      'UNKNOWN_FIELD',
      '.select.amount',
    ],
    [
      'a step that must not come selected',
      { ...withSteps(BIG, { ...SMALL, not: true }), select: { a: 'small.amount' } },
      'UNKNOWN_FIELD',
      '.select.a',
    ],
    ['a whole step selected', { ...withSteps(SMALL), select: { a: 'small' } }, 'EXPRESSION_FORBIDDEN', '.select.a'],
  ])('with %s is refused with its code and place', (_what, pattern, code, path) => {
    expect(found(pattern)).toContainEqual(expect.objectContaining({ code, path: `spec.graph[1].pattern${path}` }))
  })

  test('without event time it says what to declare', () => {
    expect(found(withSteps(SMALL), { timeless: true })).toMatchObject([
      { code: 'EVENT_TIME_MISSING', hint: expect.stringContaining('eventTime') },
    ])
  })

  test('without a key it says so', () => {
    expect(found(withSteps(SMALL), { more: { keyBy: undefined } })).toMatchObject([{ code: 'KEY_MISSING' }])
  })

  test('whose timeouts are read though it has no within is refused', () => {
    expect(
      found({ steps: [SMALL, BIG], select: SELECT }, { extra: [{ id: 'lost', from: 'op.timedOut', sink: 'console' }] }),
    ).toMatchObject([{ path: 'spec.graph[3].from' }])
  })
})

describe('a pattern', () => {
  test('gives what it selects, nullable where a step may lack rows, at the time of the match', () => {
    const result = validate(
      {
        steps: [
          { ...SMALL, times: '3+' },
          { name: 'none', where: "kind === 'cancel'", not: true },
          { name: 'maybe', optional: true },
          { ...BIG, where: 'amount > small.last.amount * 10 && amount > small.avg(amount)' },
        ],
        within: '10m',
        select: {
          card: 'card',
          at: 'match.time',
          n: 'small.count',
          sum: 'small.sum(amount)',
          first: 'small.first.at',
          between: 'maybe.amount',
          amount: 'big.amount',
        },
      },
      {
        extra: [
          { id: 'lost', from: 'op.timedOut', sink: 'console' },
          { id: 'late', from: 'op.late', sink: 'console' },
        ],
      },
    )
    if ('problems' in result) throw new Error(JSON.stringify(result.problems))
    const node = result.graph.operators.find(({ id }) => id === 'op')
    const types = (fields: readonly { name: string; type: string; nullable: boolean }[] = []): string =>
      fields.map(({ name, type, nullable }) => `${name}: ${type}${nullable ? '?' : ''}`).join(', ')
    expect(types(node?.schema.fields)).toBe(
      'card: string, at: timestamp, n: long, sum: double?, first: timestamp, between: double?, amount: double',
    )
    expect(types(node?.sideOutputs?.['timedOut']?.fields)).toBe(
      'card: string, at: timestamp, n: long, sum: double?, first: timestamp?, between: double?, amount: double?',
    )
    expect(node).toMatchObject({
      keyBy: ['card'],
      verb: {
        kind: 'pattern',
        withinMs: 600_000,
        after: { kind: 'pastLast' },
        maxRuns: 10_000,
        eventTime: { field: 'at' },
      },
    })
  })

  test('that selects match.time can have windows behind it, another cannot', () => {
    const window = [
      { id: 'perhour', from: 'op', keyBy: 'card', window: { tumble: '1h' }, aggregate: { n: 'count()' } },
      { id: 'end', from: 'perhour', sink: 'console' },
    ]
    expect(found(withSteps(SMALL), { extra: window })).toEqual([])
    expect(found({ ...withSteps(SMALL), select: { card: 'card', at: 'small.at' } }, { extra: window })).toMatchObject([
      { code: 'EVENT_TIME_MISSING', message: expect.stringContaining('match.time') },
    ])
  })

  test('of several steps without within is warned of', () => {
    const result = validate({ steps: [SMALL, BIG], select: SELECT })
    expect('problems' in result ? result.problems : result.warnings).toMatchObject([
      { code: 'STATE_UNBOUNDED', path: 'spec.graph[1].pattern' },
    ])
  })
})
