import { describe, expect, test } from 'vitest'
import { assignRestore } from '../../../../runtime/checkpoint/restore-assignment.ts'
import type { Manifest } from '../../../../runtime/checkpoint/manifest.ts'
import { executionPlan } from '../../../../runtime/plan/chaining.ts'
import type { JobGraph } from '../../../../runtime/graph/job-graph.ts'
import { bedGraph, OperatorBed } from '../../../harness/operator-bed.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const EVENTS = { id: 'long', amount: 'long', country: 'string', at: 'timestamp' }
const RULES = { name: 'string', region: 'string?', limit: 'long', deleted: 'boolean' }
const WHOLE = {
  key: ['name', 'region'],
  where: 'events.amount > rules.limit && (rules.region === null || events.country === rules.region)',
  select: { id: 'events.id', rule: 'rules.name', at: 'events.at' },
  remove: 'rules.deleted',
}

function graph(broadcast: object = WHOLE, rules: object = RULES): JobGraph {
  return bedGraph({
    graph: [
      { id: 'events', source: 'list', schema: EVENTS, eventTime: { field: 'at' } },
      { id: 'rules', source: 'list', schema: rules },
      { id: 'op', from: ['events', 'rules'], broadcast },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
}

const event = (id: number, amount: number, country = 'cz') => ({ id, amount, country, at: id })
const rule = (name: string, limit: number, region: string | null = null, deleted = false) => ({
  name,
  region,
  limit,
  deleted,
})

describe('broadcast', () => {
  test('when several rules hold for an event, it comes out once for each, in the order of the rules', async () => {
    const bed = new OperatorBed(graph(), 'op')
    await bed.process([rule('high', 100), rule('low', 10), rule('abroad', 10, 'de')], 1)
    await bed.process([event(1, 50), event(2, 500), event(3, 5), event(4, 500, 'de')], 0)
    expect(bed.out.rows.map(({ id, rule: name }) => `${id} ${name}`)).toEqual([
      '1 low',
      '2 high',
      '2 low',
      '4 high',
      '4 low',
      '4 abroad',
    ])
  })

  test('when a rule with the same key comes, it takes the place of the old one; one that removes takes it away', async () => {
    const bed = new OperatorBed(graph(), 'op')
    await bed.process([rule('a', 10), rule('b', 10), rule('a', 10, 'cz')], 1)
    await bed.process([rule('a', 1000), rule('b', 0, null, true)], 1)
    await bed.process([event(1, 50)], 0)
    expect(bed.out.rows).toEqual([{ id: 1, rule: 'a', at: 1 }])
    expect(bed.stage.state?.size()).toBe(2)
  })

  test('when a snapshot is taken, slot 0 alone writes it, and any slot takes it back', async () => {
    const [first, second] = [0, 1].map((slot) => new OperatorBed(graph(), 'op', { slot, parallelism: 2 }))
    for (const bed of [first, second]) await bed?.process([rule('a', 10), rule('ž\ud83d', 10, 'cz')], 1)
    expect(wholeBlocks(second?.stage.state)).toEqual([])
    const [block] = wholeBlocks(first?.stage.state)
    expect(block?.[0]).toBe(0)
    // another condition finds the rules whole
    const other = new OperatorBed(graph({ ...WHOLE, where: 'rules.region !== null' }), 'op', {
      slot: 2,
      parallelism: 3,
    })
    other.stage.state?.restore(0, block?.[1] ?? new Uint8Array())
    await other.process([event(1, 0)], 0)
    expect(other.out.rows).toEqual([{ id: 1, rule: 'ž\ud83d', at: 1 }])
    const changed = new OperatorBed(graph(WHOLE, { ...RULES, limit: 'double' }), 'op')
    expect(() => changed.stage.state?.restore(0, block?.[1] ?? new Uint8Array())).toThrow(
      expect.objectContaining({ code: 'STATE_INCOMPATIBLE' }),
    )
  })

  test('when a job is restored at another parallelism, the file of slot 0 goes to every slot', () => {
    const plan = executionPlan(graph(), 3)
    const file = { path: 'x', sizeBytes: 1, sha256: '', groups: [[0, 0, 1]] as const }
    const manifest = {
      subtasks: { 'op-0': { splits: {}, state: { op: file }, committables: {} } },
    } as unknown as Manifest
    const restores = assignRestore(plan, manifest, {})
    expect([0, 1, 2].map((slot) => restores[`op-${slot}`]?.state['op'])).toEqual([[file], [file], [file]])
  })

  test('when what is selected throws for one rule, all of the event is reported and nothing of it comes out', async () => {
    const bed = new OperatorBed(
      graph({ ...WHOLE, where: 'true', select: { product: 'events.amount * rules.limit' } }),
      'op',
    )
    await bed.process([rule('a', 1), rule('b', 2 ** 30)], 1)
    await bed.process([event(1, 2 ** 30), event(2, 3)], 0)
    expect(bed.out.rows).toEqual([{ product: 3 }, { product: 3 * 2 ** 30 }])
    expect(bed.errors.map(({ error, row }) => [error.code, row['id']])).toEqual([['VALUE_INVALID', 1]])
  })
})
