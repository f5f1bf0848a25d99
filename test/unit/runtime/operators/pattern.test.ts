import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { MAX_TIMESTAMP } from '../../../../runtime/model/time.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'
import {
  plainPattern,
  type PlainCondition,
  type PlainPattern,
  type PlainStep,
  type Taken,
} from '../../../harness/plain/plain-pattern.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const SCHEMA = { key: 'string', id: 'long', v: 'long', at: 'timestamp' }

/** A condition as the job says it and as the twin does; `of`: the step whose rows it may read. */
type Condition = readonly [text: string, plain: PlainCondition]
const value = (row: Row | undefined): number => Number(row?.['v'])
const CONDITIONS: readonly Condition[] = [
  ['v === 0', (row) => value(row) === 0],
  ['v === 1', (row) => value(row) === 1],
  ['v <= 1', (row) => value(row) <= 1],
  ['v >= 1', (row) => value(row) >= 1],
  ['v !== 2', (row) => value(row) !== 2],
  ['true', () => true],
]
/** Over the rows of s0, which comes first and always, or else are compared with null, which is not less. */
const ITERATIVE: readonly Condition[] = [
  ['v > s0.first.v', (row, before) => before(0).length > 0 && value(row) > value(before(0)[0])],
  ['v >= s0.v', (row, before) => before(0).length > 0 && value(row) >= value(before(0).at(-1))],
  ['s0.count < 2', (_, before) => before(0).length < 2],
  [
    'v <= s0.sum(v)',
    (row, before) => before(0).length > 0 && value(row) <= before(0).reduce((sum, one) => sum + value(one), 0),
  ],
]

interface DrawnStep {
  spec: Record<string, unknown>
  plain: PlainStep
}

const arbitraryStep = fc.record({
  kind: fc.constantFrom('one', 'one', 'one', 'loop', 'loop', 'times', 'range', 'not'),
  condition: fc.constantFrom(...CONDITIONS),
  iterative: fc.constantFrom(...ITERATIVE),
  isIterative: fc.boolean(),
  follows: fc.constantFrom('next', 'followedBy', 'followedBy', 'followedByAny'),
  optional: fc.boolean(),
  greedy: fc.boolean(),
  loop: fc.constantFrom('strict', 'relaxed', 'combinations'),
  until: fc.option(fc.constantFrom(...CONDITIONS.slice(0, 2)), { nil: undefined }),
  min: fc.integer({ min: 1, max: 2 }),
})
type Draw = typeof arbitraryStep extends fc.Arbitrary<infer T> ? T : never

/** Makes of what was drawn a pattern that is not refused. */
function patternOf(draws: readonly Draw[], hasWithin: boolean): DrawnStep[] {
  const made: DrawnStep[] = []
  draws.forEach((draw, i) => {
    const previous = made.at(-1)?.plain
    const isLast = i === draws.length - 1
    const isNot =
      draw.kind === 'not' &&
      previous !== undefined &&
      !previous.not &&
      !previous.optional &&
      !previous.greedy &&
      (!isLast || hasWithin)
    const isLoop = !isNot && (draw.kind === 'loop' || draw.kind === 'times' || draw.kind === 'range')
    const [min, max] = !isLoop
      ? [1, 1]
      : draw.kind === 'loop'
        ? [draw.min, undefined]
        : draw.kind === 'times'
          ? [2, 2]
          : [draw.min, draw.min + 1]
    const sinceNot = made.slice(made.findLastIndex((one) => one.plain.not) + 1)
    const isNeeded = isLast && sinceNot.length < made.length && sinceNot.every((one) => one.plain.optional)
    const optional = !isNot && draw.optional && previous?.greedy !== true && !isNeeded
    const greedy = isLoop && draw.greedy && !isLast && draw.loop !== 'combinations' && (min !== max || optional)
    const iterative = draw.isIterative && (i > 0 || isLoop)
    const [text, plain] = iterative ? draw.iterative : draw.condition
    // of the first row of a loop nothing is known yet
    const where: Condition =
      iterative && i === 0
        ? [`s0.count === 0 || ${text}`, (row, before) => before(0).length === 0 || plain(row, before)]
        : [text, plain]
    const follows =
      i === 0
        ? 'followedBy'
        : isNot
          ? draw.follows === 'next' && !isLast
            ? 'next'
            : 'followedBy'
          : previous?.greedy === true && draw.follows === 'followedByAny'
            ? 'followedBy'
            : draw.follows
    const until = isLoop ? draw.until : undefined
    const loop = isLoop ? draw.loop : 'relaxed'
    made.push({
      spec: {
        name: `s${i}`,
        where: where[0],
        ...(i === 0 ? {} : { follows }),
        ...(isNot ? { not: true } : {}),
        ...(optional ? { optional } : {}),
        ...(isLoop
          ? {
              times: max === undefined ? `${min}+` : max === min ? min : `${min}..${max}`,
              loop,
              ...(greedy ? { greedy } : {}),
              ...(until === undefined ? {} : { until: until[0] }),
            }
          : {}),
      },
      plain: {
        not: isNot,
        follows,
        min: min ?? 1,
        ...(max === undefined ? {} : { max }),
        optional,
        greedy,
        loop,
        where: where[1],
        ...(until === undefined ? {} : { until: until[1] }),
      },
    })
  })
  return made
}

const EXTENTS = ['changes', 'changes', 'appended', 'whole'] as const

const arbitraryRun = fc.record({
  draws: fc.array(arbitraryStep, { minLength: 1, maxLength: 4 }),
  within: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
  after: fc.constantFrom('noSkip', 'noSkip', 'skipToNext', 'skipPastLast', 'skipToFirst', 'skipToLast'),
  skipTo: fc.nat(3),
  rows: fc.array(fc.record({ key: fc.constantFrom('a', 'a', 'b'), v: fc.nat(2), step: fc.nat(3) }), { maxLength: 12 }),
  order: fc.infiniteStream(fc.nat(999)),
  cuts: fc.array(
    fc.record({
      share: fc.nat(100),
      back: fc.nat(8),
      parallelism: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      extent: fc.constantFrom(...EXTENTS),
      before: fc.constantFrom('nothing', 'nothing', ...EXTENTS),
      readsBlocks: fc.nat(3),
      fails: fc.boolean(),
    }),
    { maxLength: 6 },
  ),
})

/** `s0:1,4 s2:5` of ids. */
function textOf(taken: readonly Taken[], rows: readonly Row[]): string {
  return [...Map.groupBy(taken, ({ step }) => step)]
    .map(
      ([step, of]) =>
        `s${step}:${String(rows[of[0]?.at ?? -1]?.['id'])}-${String(rows[of.at(-1)?.at ?? -1]?.['id'])}/${of.length}`,
    )
    .join(' ')
}
function selectOf(steps: readonly PlainStep[]): Record<string, string> {
  return {
    key: 'key',
    at: 'match.time',
    ...Object.fromEntries(
      steps.flatMap(({ not }, i) =>
        not
          ? []
          : [
              [`f${i}`, `s${i}.first.id`],
              [`l${i}`, `s${i}.last.id`],
              [`n${i}`, `s${i}.count`],
            ],
      ),
    ),
  }
}
function textOfRow(row: Row): string {
  return Array.from({ length: 4 }, (_, i) =>
    Number(row[`n${i}`] ?? 0) === 0
      ? []
      : [`s${i}:${String(row[`f${i}`])}-${String(row[`l${i}`])}/${String(row[`n${i}`])}`],
  )
    .flat()
    .join(' ')
}

describe('pattern', () => {
  test('finds what the definition says, whatever the pattern, the order of arrival, the watermarks and the rescales', async () => {
    let found = 0
    await fc.assert(
      fc.asyncProperty(arbitraryRun, async ({ draws, within, after, skipTo, rows, order, cuts }) => {
        const steps = patternOf(draws, within !== undefined)
        const taking = steps.flatMap(({ plain }, i) => (plain.not ? [] : [i]))
        const step = taking[skipTo % taking.length] ?? 0
        const pattern: PlainPattern = {
          steps: steps.map(({ plain }) => plain),
          ...(within === undefined ? {} : { within }),
          after:
            after === 'noSkip'
              ? { kind: 'noSkip' }
              : after === 'skipToNext'
                ? { kind: 'toNext' }
                : after === 'skipPastLast'
                  ? { kind: 'pastLast' }
                  : { kind: after === 'skipToFirst' ? 'toFirst' : 'toLast', step },
        }
        const graph = aroundOperator(
          SCHEMA,
          {
            keyBy: 'key',
            pattern: {
              steps: steps.map(({ spec }) => spec),
              ...(within === undefined ? {} : { within: `${within}ms` }),
              after: after === 'skipToFirst' || after === 'skipToLast' ? { [after]: `s${step}` } : after,
              select: selectOf(pattern.steps),
            },
          },
          { eventTime: 'at', sides: within === undefined ? ['late'] : ['late', 'timedOut'] },
        )
        let time = 0
        const sorted = rows.map(({ key, v, step: pause }, id) => ({ key, id, v, at: (time += pause) }))
        const random = order[Symbol.iterator]()
        // rows of one time keep their order: nothing else says which is first
        const arrival = sorted
          .map((row) => ({ row, place: row.at * 1000 + (random.next().value ?? 0) }))
          .sort(
            (one, other) =>
              Math.floor(one.place / 4000) - Math.floor(other.place / 4000) ||
              (one.row.at % 4) - (other.row.at % 4) ||
              one.row.id - other.row.id,
          )
          .map(({ row }) => row)
        const slots = new OperatorSlots(graph, 'op', 1)
        const out: Row[] = []
        const timeouts: Row[] = []
        const collect = (): void => {
          out.push(...slots.take())
          timeouts.push(...slots.takeSide('timedOut'))
        }
        const places = cuts
          .map((cut) => ({ ...cut, at: Math.floor((cut.share * arrival.length) / 101) }))
          .sort((one, other) => one.at - other.at)
        let from = 0
        for (const { at, back, parallelism, extent, before, readsBlocks, fails } of places) {
          await slots.process(arrival.slice(from, at))
          from = at
          const ahead = arrival.slice(at).reduce((least, row) => Math.min(least, row.at), Infinity)
          if (Number.isFinite(ahead)) await slots.watermark(ahead - 1 - back)
          collect()
          if (before !== 'nothing') await slots.freeze(before)
          slots.read(readsBlocks)
          if (fails) slots.fail()
          if (parallelism !== undefined) {
            await slots.rescale(parallelism, extent, async () => {
              slots.read(readsBlocks)
              await slots.process(arrival.slice(at))
              await slots.watermark(arrival[at]?.at ?? MAX_TIMESTAMP)
            })
          }
        }
        await slots.process(arrival.slice(from))
        await slots.watermark(MAX_TIMESTAMP)
        collect()
        expect(slots.takeSide('late')).toEqual([])
        expect(slots.errors()).toEqual([])
        const expected = [...Map.groupBy(sorted, ({ key }) => key).values()].map((of) => ({
          of,
          ...plainPattern(
            pattern,
            of,
            of.map(({ at }) => at),
          ),
        }))
        const matches = expected.flatMap(({ of, matches: all }) => all.map((taken) => textOf(taken, of)))
        found += matches.length
        expect(out.map(textOfRow).sort()).toEqual(matches.sort())
        expect(timeouts.map(textOfRow).sort()).toEqual(
          expected.flatMap(({ of, timedOut }) => timedOut.map((taken) => textOf(taken, of))).sort(),
        )
        expect(slots.size()).toBe(0)
      }),
      { numRuns: Number(process.env['PATTERN_RUNS'] ?? 60) },
    )
    expect(found).toBeGreaterThan(20)
  })
})

test('under changed conditions and another choice of fields matches under way go on with the rows they have', async () => {
  const graphOf = (least: number, select: object) =>
    aroundOperator(
      SCHEMA,
      {
        keyBy: 'key',
        pattern: {
          steps: [
            { name: 'a', where: 'v === 0' },
            { name: 'b', where: `v >= ${least} && v > a.v`, times: 2 },
          ],
          within: '1m',
          select,
          maxRuns: least,
        },
      },
      { eventTime: 'at' },
    )
  const old = new OperatorBed(graphOf(1, { key: 'key', first: 'a.id' }), 'op')
  await old.process([
    { key: 'k', id: 1, v: 0, at: 1 },
    { key: 'k', id: 2, v: 1, at: 2 },
    { key: 'k', id: 3, v: 1, at: 30 },
  ])
  await old.watermark(10)
  const changed = new OperatorBed(graphOf(5, { key: 'key', ids: 'a.id + b.first.id + b.id', at: 'match.time' }), 'op')
  for (const [group, block] of wholeBlocks(old.stage.state)) changed.stage.state?.restore(group, block)
  changed.stage.state?.restored?.()
  await changed.process([
    { key: 'k', id: 40, v: 4, at: 40 },
    { key: 'k', id: 50, v: 5, at: 50 },
  ])
  await changed.end()
  expect(changed.out.rows).toEqual([{ key: 'k', ids: 53, at: 50 }])
})
