import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { MAX_TIMESTAMP } from '../../../../runtime/model/time.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const SCHEMA = { key: 'string', kind: 'string', n: 'long', at: 'timestamp' }

/** `a1@5` is a row of the kind a with n 1 at 5; without a time rows are one apart. */
function rowsOf(text: string): Row[] {
  return text.split(' ').map((word, i) => {
    const [, kind = '', n = '0', at] = /^([a-z])(\d*)(?:@(\d+))?$/.exec(word) ?? []
    return { key: 'k', kind, n: Number(n === '' ? 0 : n), at: Number(at ?? i + 1) }
  })
}

interface CaseStep {
  name: string
  [option: string]: unknown
}

function patternOf(steps: readonly CaseStep[], more: object): object {
  const taking = steps.filter(({ not }) => not !== true).map(({ name }) => name)
  return {
    steps: steps.map((step) => ({ where: `kind === '${step.name[0] ?? ''}'`, ...step })),
    after: 'noSkip',
    select: {
      at: 'match.time',
      ...Object.fromEntries(
        taking.flatMap((name) => [
          [`${name}First`, `${name}.first.n`],
          [`${name}Last`, `${name}.n`],
          [`${name}Count`, `${name}.count`],
          [`${name}Sum`, `${name}.sum(n)`],
        ]),
      ),
    },
    ...more,
  }
}

/** What `select` gives for a match of these rows, whose first letters are the first letters of the steps' names. */
function selected(steps: readonly CaseStep[], match: string): Record<string, number | null> {
  const rows = match === '' ? [] : rowsOf(match)
  const used = new Set<Row>()
  return Object.fromEntries(
    steps
      .filter(({ not }) => not !== true)
      .flatMap(({ name, where, times }): [string, number | null][] => {
        const fits = rows.filter((row) => !used.has(row) && (where !== undefined || row['kind'] === name[0]))
        const of = times === undefined ? fits.slice(0, 1) : fits
        for (const row of of) used.add(row)
        const numbers = of.map((row) => Number(row['n']))
        return [
          [`${name}First`, numbers[0] ?? null],
          [`${name}Last`, numbers.at(-1) ?? null],
          [`${name}Count`, numbers.length],
          [`${name}Sum`, numbers.length === 0 ? null : numbers.reduce((sum, n) => sum + n, 0)],
        ]
      }),
  )
}

async function run(steps: readonly CaseStep[], rows: string, more: object = {}): Promise<OperatorBed> {
  const bed = new OperatorBed(
    aroundOperator(SCHEMA, { keyBy: 'key', pattern: patternOf(steps, more) }, { eventTime: 'at' }),
    'op',
  )
  await bed.process(rowsOf(rows))
  await bed.watermark(MAX_TIMESTAMP)
  expect(bed.errors).toEqual([])
  return bed
}

const lines = (rows: readonly object[]): string[] =>
  rows
    .map((row) =>
      JSON.stringify(
        Object.entries(row)
          .filter(([name]) => name !== 'at')
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    )
    .sort()
const step = (name: string, options: object = {}): CaseStep => ({ name, ...options })
const next = { follows: 'next' }
const any = { follows: 'followedByAny' }

describe('pattern gives what the tests of Flink CEP say', () => {
  test.each<[what: string, steps: CaseStep[], rows: string, matches: string[], more?: object]>([
    ['testStrictContinuityWithResults', [step('a'), step('b', next)], 'a b', ['a b']],
    ['testStrictContinuityNoResults', [step('a'), step('b', next)], 'a c b', []],
    [
      'testSimplePatternWithTimeWindowNFA',
      [step('s'), step('m'), step('e')],
      's1@1 s2@2 m3@3 x4@4 e5@11 e6@13',
      ['s2 m3 e5'],
      { within: '10ms' },
    ],
    [
      'testEagerZeroOrMore',
      [step('c'), step('a', { times: '0+' }), step('b')],
      'c a1 a2 d a3 b',
      ['c a1 a2 a3 b', 'c a1 a2 b', 'c a1 b', 'c b'],
    ],
    [
      'testZeroOrMore',
      [step('c'), step('a', { times: '0+', loop: 'combinations', ...any }), step('b')],
      'c a1 a2 b',
      ['c a1 a2 b', 'c a1 b', 'c a2 b', 'c b'],
    ],
    [
      'testBeginWithZeroOrMore',
      [step('a', { times: '0+' }), step('b')],
      'a1 a2 a3 b',
      ['a1 a2 a3 b', 'a1 a2 b', 'a2 a3 b', 'a1 b', 'a2 b', 'a3 b', 'b'],
    ],
    [
      'testStrictContinuityNoResultsAfterZeroOrMore',
      [step('d'), step('a', { times: '0+' }), step('b', next)],
      'd a1 a2 c b',
      [],
    ],
    [
      'testUntilConditionFollowedByOneOrMore',
      [step('c'), step('a', { times: '1+', until: 'n === 5' }), step('z', { where: 'n === 5' })],
      'c a2 a3 a5 a6',
      ['c a2 a3 z5', 'c a2 z5'],
    ],
    [
      'greedy with until and rows of the loop behind the row that ends it',
      [step('c'), step('a', { times: '1+', greedy: true, until: 'n > 3' }), step('d')],
      'c a1 a2 a4 a3 d',
      ['c a1 a2 d'],
    ],
    [
      'greedy with until and a row that fits neither before the row that ends the loop',
      [step('c'), step('a', { times: '1+', greedy: true, until: 'n > 3' }), step('d')],
      'c a1 x a4 a3 d',
      ['c a1 d'],
    ],
    [
      'greedy with until over a loop of a range that has all its rows',
      [step('c'), step('a', { times: '1..2', greedy: true, until: 'n > 3' }), step('d')],
      'c a1 a2 a4 a3 d',
      ['c a1 a2 d'],
    ],
    [
      'testNotNext',
      [step('a'), step('b', { not: true, ...next }), step('c', any), step('d')],
      'a c1 b c2 d',
      ['a c1 d', 'a c2 d'],
    ],
    [
      'testNotNextNoMatches',
      [step('a'), step('b', { not: true, ...next }), step('c', any), step('d')],
      'a b c1 c2 d',
      [],
    ],
    ['testNotFollowedBy', [step('a'), step('b', { not: true }), step('c', any), step('d')], 'a c1 b c2 d', ['a c1 d']],
    [
      'testNotFollowedByBeforeOptionalTimes',
      [step('a'), step('b', { not: true }), step('c', { times: 2, optional: true, ...any }), step('d')],
      'a c1 b c2 d',
      ['a c1 c2 d'],
    ],
    ['testNoSkip', [step('a', { times: 3 })], 'a1 a2 a3 a4 a5 a6', ['a1 a2 a3', 'a2 a3 a4', 'a3 a4 a5', 'a4 a5 a6']],
    [
      'testSkipPastLast',
      [step('a', { times: 3 })],
      'a1 a2 a3 a4 a5 a6',
      ['a1 a2 a3', 'a4 a5 a6'],
      { after: 'skipPastLast' },
    ],
    [
      'testSkipToFirstNonExistentPosition',
      [step('a'), step('b', { times: '0+', loop: 'strict', ...next }), step('c', next)],
      'a c',
      ['a c'],
      { after: { skipToFirst: 'b' } },
    ],
    [
      'the example of the docs without skipping',
      [step('a', { times: '1+', loop: 'strict', greedy: true }), step('b', next)],
      'a1 a2 a3 b',
      ['a1 a2 a3 b', 'a2 a3 b', 'a3 b'],
    ],
    [
      'the example of the docs skipping to the first',
      [step('a', { times: '1+', loop: 'strict', greedy: true }), step('b', next)],
      'a1 a2 a3 b',
      ['a1 a2 a3 b', 'a2 a3 b', 'a3 b'],
      { after: { skipToFirst: 'a' } },
    ],
    [
      'the example of the docs skipping to the last',
      [step('a', { times: '1+', loop: 'strict', greedy: true }), step('b', next)],
      'a1 a2 a3 b',
      ['a1 a2 a3 b', 'a3 b'],
      { after: { skipToLast: 'a' } },
    ],
    [
      'the example of the docs skipping past the last',
      [step('a', { times: '1+', loop: 'strict', greedy: true }), step('b', next)],
      'a1 a2 a3 b',
      ['a1 a2 a3 b'],
      { after: 'skipPastLast' },
    ],
    [
      'testSkipPastLast2',
      [step('a'), step('b', any), step('c', any), step('d')],
      'a1 a2 b1 b2 c1 c2 d1 d2',
      ['a1 b1 c1 d1'],
      { after: 'skipPastLast' },
    ],
    [
      'testNotFollowedBy at the end within',
      [step('a'), step('b', { not: true })],
      'a1@1 c2@3 a3@20 b4@25',
      ['a1'],
      { within: '10ms' },
    ],
  ])('%s', async (_what, steps, rows, matches, more) => {
    expect(lines((await run(steps, rows, more)).out.rows)).toEqual(
      lines(matches.map((match) => selected(steps, match))),
    )
  })
})

describe('pattern', () => {
  test('when a match is not completed within its time, what it has comes out of timedOut at the time it was over', async () => {
    const steps = [step('s'), step('m', any), step('e', any)]
    const bed = await run(steps, 's1@1 s2@2 m3@3 x4@4 e5@11 e6@13', { within: '10ms' })
    expect(bed.out.rows).toMatchObject([{ at: 11, sFirst: 2, mFirst: 3, eFirst: 5 }])
    expect(
      bed
        .side('timedOut')
        .rows.map(({ at, sFirst, mFirst, eFirst }) => [at, sFirst, mFirst, eFirst])
        .sort(),
    ).toEqual([
      [11, 1, null, null],
      [11, 1, 3, null],
      [12, 2, null, null],
      [12, 2, 3, null],
    ])
  })

  test('when one row began a match and, as another step, one that was not completed, both come out at the end of their time', async () => {
    const steps = [
      step('a', { optional: true }),
      step('b', { where: `kind === 'a'`, ...next }),
      step('c', { where: 'a.n > 0' }),
      step('d', { not: true }),
    ]
    const bed = new OperatorBed(
      aroundOperator(
        SCHEMA,
        {
          keyBy: 'key',
          pattern: patternOf(steps, {
            within: '10ms',
            after: 'skipPastLast',
            select: { a: 'a.n', b: 'b.n', c: 'c.n' },
          }),
        },
        { eventTime: 'at', sides: ['timedOut'] },
      ),
      'op',
    )
    await bed.process(rowsOf('a1@1 a2@1 c3@1'))
    await bed.watermark(100)
    expect([bed.out.rows, bed.side('timedOut').rows]).toEqual([[{ a: 1, b: 2, c: 3 }], [{ a: null, b: 1, c: null }]])
  })

  test('when a row is behind the watermark, it is late and takes no part', async () => {
    const bed = new OperatorBed(
      aroundOperator(
        SCHEMA,
        { keyBy: 'key', pattern: patternOf([step('a'), step('b')], { within: '10ms' }) },
        { eventTime: 'at' },
      ),
      'op',
    )
    await bed.process(rowsOf('a1@5'))
    await bed.watermark(5)
    await bed.process(rowsOf('b1@5 b2@6'))
    await bed.watermark(20)
    expect(bed.late).toBe(1)
    expect(bed.side('late').rows).toMatchObject([{ n: 1, at: 5 }])
    expect(bed.out.rows).toMatchObject([{ bFirst: 2 }])
    expect(bed.out.watermarks).toEqual([5, 20])
  })

  test('when it is restored, what was late stays late', async () => {
    const graph = aroundOperator(
      SCHEMA,
      { keyBy: 'key', pattern: patternOf([step('a'), step('b')], { within: '10ms' }) },
      { eventTime: 'at' },
    )
    const before = new OperatorBed(graph, 'op')
    await before.watermark(50)
    const after = new OperatorBed(graph, 'op')
    for (const [group, bytes] of wholeBlocks(before.stage.state)) after.stage.state?.restore(group, bytes)
    await after.process(rowsOf('a1@50 a2@51'))
    expect(after.late).toBe(1)
  })

  test('when the steps are others, the state is refused, and when only what is selected is, it is not', async () => {
    const graphOf = (steps: readonly CaseStep[], more: object = {}) =>
      aroundOperator(
        SCHEMA,
        { keyBy: 'key', pattern: patternOf(steps, { within: '10ms', ...more }) },
        { eventTime: 'at' },
      )
    const before = new OperatorBed(graphOf([step('a'), step('b')]), 'op')
    await before.process(rowsOf('a1@5'))
    await before.watermark(6)
    const [[group, bytes] = [0, new Uint8Array()]] = wholeBlocks(before.stage.state)
    const others = new OperatorBed(graphOf([step('a'), step('c')]), 'op')
    expect(() => {
      others.stage.state?.restore(group, bytes)
    }).toThrow(expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }))
    expect(() => {
      others.stage.state?.restore(group, bytes.subarray(0, 20))
    }).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }))
    const same = new OperatorBed(
      graphOf([step('a'), step('b')], { select: { sum: 'a.n + b.n', at: 'match.time' } }),
      'op',
    )
    for (const [of, block] of wholeBlocks(before.stage.state)) same.stage.state?.restore(of, block)
    await same.process(rowsOf('b2@7'))
    await same.watermark(7)
    expect(same.out.rows).toEqual([{ sum: 3, at: 7 }])
  })

  test('when a key would have more matches under way than it may, the row is an error and the others go on', async () => {
    const bed = new OperatorBed(
      aroundOperator(
        SCHEMA,
        { keyBy: 'key', pattern: patternOf([step('a'), step('b')], { within: '1s', maxRuns: 2 }) },
        { eventTime: 'at' },
      ),
      'op',
    )
    await bed.process(rowsOf('a1 a2 a3 b4'))
    await bed.watermark(MAX_TIMESTAMP)
    expect(bed.errors).toMatchObject([{ operator: 'op', row: { n: 3 }, error: { code: 'PATTERN_LIMIT' } }])
    expect(bed.out.rows.map((row) => row['aFirst'])).toEqual([1, 2])
  })

  test('when what is selected cannot be said, the match is an error of its last row', async () => {
    const bed = new OperatorBed(
      aroundOperator(
        SCHEMA,
        { keyBy: 'key', pattern: patternOf([step('a'), step('b')], { within: '1s', select: { ratio: 'a.n / b.n' } }) },
        { eventTime: 'at' },
      ),
      'op',
    )
    await bed.process(rowsOf('a1 b0 a4 b2'))
    await bed.watermark(MAX_TIMESTAMP)
    expect(bed.errors).toMatchObject([{ row: { kind: 'b', n: 0 }, error: { code: 'VALUE_INVALID' } }])
    expect(bed.out.rows).toEqual([{ ratio: 2 }])
  })

  test('when no match is under way, a key leaves nothing behind', async () => {
    const bed = new OperatorBed(
      aroundOperator(
        SCHEMA,
        { keyBy: 'key', pattern: patternOf([step('a'), step('b', next)], { within: '1s' }) },
        { eventTime: 'at' },
      ),
      'op',
    )
    await bed.process(rowsOf('a1 b2 c3'))
    expect(bed.stage.state?.size()).toBe(3)
    await bed.watermark(3)
    expect(bed.stage.state?.size()).toBe(0)
  })
})
