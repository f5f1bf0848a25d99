import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { restOf, type BlockPlace } from '../../../../runtime/checkpoint/state-rest.ts'
import type { Row } from '../../../../runtime/model/schema.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { Uploads } from '../../../harness/uploads.ts'
import { copiedState } from '../../../../runtime/state/copied-state.ts'

const GROUPS = 2
const SCHEMA = { k: 'string', at: 'timestamp', v: 'long' }
const AGGREGATE = { n: 'count()', total: 'sum(v)', kinds: 'countDistinct(v)', all: 'collect(v)', last: 'last(k)' }

const VERBS: Readonly<Record<string, object>> = {
  'tumbling windows': { window: { tumble: '10ms' }, aggregate: AGGREGATE },
  'hopping windows that wait for late rows': {
    window: { hop: '5ms', size: '15ms' },
    lateness: '7ms',
    aggregate: AGGREGATE,
  },
  sessions: { window: { session: '6ms' }, aggregate: AGGREGATE },
  'sessions that wait for late rows': { window: { session: '6ms' }, lateness: '9ms', aggregate: AGGREGATE },
  'windows of so many rows': { window: { count: 6, every: 2 }, aggregate: AGGREGATE },
  'a global window': { window: 'global', aggregate: AGGREGATE },
  'aggregates for ever': { aggregate: AGGREGATE },
  'aggregates with a time to live': { aggregate: AGGREGATE, ttl: '20ms' },
  'a pattern': {
    pattern: {
      steps: [
        { name: 'a', where: 'v < 4' },
        { name: 'b', where: 'v >= 4', times: '1+', greedy: true },
        { name: 'c', where: 'v < 4' },
      ],
      within: '30ms',
      select: { k: 'k', a: 'a.v', n: 'b.count', c: 'c.v' },
    },
  },
}

const arbitraryRow = fc.record({ k: fc.constantFrom('a', 'b', 'ž', 'dd', 'e'), at: fc.nat(12), v: fc.nat(6) })
const arbitraryRound = fc.record({
  rows: fc.array(arbitraryRow, { maxLength: 8 }),
  forwardMs: fc.nat(14),
  upload: fc.constantFrom('written', 'written', 'failed', 'none'),
  extent: fc.constantFrom('changes', 'changes', 'whole'),
})
type Round = typeof arbitraryRound extends fc.Arbitrary<infer T> ? T : never

/** What is followed: all beds of a test go through the same rounds. */
async function take({ bed, clock }: Place, rows: readonly Row[], now: number, forwardMs: number): Promise<void> {
  await bed.process(rows.map((row) => ({ ...row, at: now + Number(row['at']) - 4 })))
  await bed.watermark(now)
  await clock.advance(forwardMs)
  await bed.runMails()
  await bed.stage.drain?.()
}

interface Place {
  bed: OperatorBed
  clock: ManualClock
}

describe('checkpoints of extent appended of tables by key', () => {
  test.each(Object.entries(VERBS))(
    'of %s go on from each other, whatever fires or expires between them, and who follows them goes on as the one that wrote them',
    async (_, verb) => {
      const graph = { ...aroundOperator(SCHEMA, { keyBy: 'k', ...verb }, { eventTime: 'at' }), maxParallelism: GROUPS }
      const open = (clock: ManualClock): Place => ({ clock, bed: new OperatorBed(graph, 'op', { clock }) })
      let followedBlocks = 0
      await fc.assert(
        fc.asyncProperty(
          fc.array(arbitraryRound, { maxLength: 4 }),
          fc.array(arbitraryRound, { minLength: 1, maxLength: 12, size: 'max' }),
          fc.array(arbitraryRound, { maxLength: 4 }),
          async (before, during, after) => {
            const leader = open(new ManualClock(0))
            const uploads = new Uploads<undefined>()
            const followed = new Map<number, BlockPlace[]>()
            const blocks: [number, Uint8Array][] = []
            let now = 0
            const round = async (
              { rows, forwardMs, upload }: Round,
              extent: 'changes' | 'whole' | 'appended',
            ): Promise<void> => {
              await take(leader, rows, now, forwardMs)
              now += forwardMs
              if (upload === 'none') return
              uploads.add(leader.bed.stage.state?.freeze(extent) ?? copiedState([]), undefined)
              if (upload === 'failed') {
                uploads.step()
                uploads.fail()
              }
              while (uploads.step());
            }
            for (const one of before) await round(one, one.extent)
            for (const [index, one] of during.entries()) {
              await round(index === during.length - 1 ? { ...one, upload: 'written' } : one, 'appended')
              if (one.upload !== 'written' && index < during.length - 1) continue
              const rest = restOf(followed, uploads.done.at(-1)?.files ?? [], { first: 0, endExclusive: GROUPS })
              expect(rest).toBeDefined()
              for (const { file, blocks: places } of rest ?? []) {
                for (const [group, offset, length] of places)
                  followed.set(group, [
                    ...(followed.get(group) ?? []),
                    { path: file.path, sha256: file.sha256, offset, length },
                  ])
                blocks.push(
                  ...uploads
                    .blocks([{ ...file, groups: places }])
                    .map(([group, bytes]): [number, Uint8Array] => [group, bytes]),
                )
              }
            }
            const follower = open(new ManualClock(now))
            for (const [group, bytes] of blocks) follower.bed.stage.state?.restore(group, bytes)
            follower.bed.stage.state?.restored?.()
            followedBlocks += blocks.length
            leader.bed.out.rows.length = 0
            const start = now
            for (const place of [leader, follower]) {
              now = start
              await place.bed.watermark(now)
              for (const { rows, forwardMs } of after) {
                await take(place, rows, now, forwardMs)
                now += forwardMs
              }
              await place.bed.end()
            }
            expect(follower.bed.out.rows.map((row) => JSON.stringify(row)).sort()).toEqual(
              leader.bed.out.rows.map((row) => JSON.stringify(row)).sort(),
            )
            expect(follower.bed.errors).toEqual([])
          },
        ),
        { numRuns: 120 },
      )
      expect(followedBlocks).toBeGreaterThan(200)
    },
  )
})
