import { expect, test } from 'vitest'
import { executionPlan, subtasksOf } from '../../../../runtime/plan/chaining.ts'
import { describePlan } from '../../../../runtime/plan/describe-plan.ts'
import { BIDS, graphOf } from './sample-job.ts'

const SOURCE = '{ id: a, source: { kafka: { topic: t } }, schema: { k: string, v: long } }'

function drawn(yaml: string, parallelism?: number): { chains: string[]; exchanges: string[] } {
  const plan = executionPlan(graphOf(yaml), parallelism)
  return {
    chains: plan.chains.map(
      (chain) => `${chain.id} ×${chain.parallelism}: ${chain.operators.map((operator) => operator.id).join(' ')}`,
    ),
    exchanges: plan.exchanges.map(
      (exchange) =>
        `${exchange.id} (${exchange.producer.chain} to ${exchange.consumer.chain}) ${exchange.partitioning.kind}`,
    ),
  }
}

test('the job of the design becomes two chains with a hash exchange between them', () => {
  expect(drawn(BIDS)).toEqual({
    chains: ['bids ×2: bids dear', 'hot ×2: hot out'],
    exchanges: ['dear→hot (bids to hot) hash'],
  })
})

test('another parallelism reaches every operator without one of its own', () => {
  const pinned = BIDS.replace('- id: out', '- id: out\n    replicas: 1')
  expect(drawn(pinned, 3)).toEqual({
    chains: ['bids ×3: bids dear', 'hot ×3: hot', 'out ×1: out'],
    exchanges: ['dear→hot (bids to hot) hash', 'hot→out (hot to out) rebalance'],
  })
  expect(drawn(pinned, 1).chains).toEqual(['bids ×1: bids dear', 'hot ×1: hot out'])
})

test('several readers of one operator end its chain with forward exchanges', () => {
  const yaml = `graph: [${SOURCE}, { id: b, from: a, filter: v > 1 }, { id: c, from: b, sink: console }, { id: d, from: b, map: { v: v } }, { id: e, from: d, sink: console }]`
  expect(drawn(yaml)).toEqual({
    chains: ['a ×1: a b', 'c ×1: c', 'd ×1: d e'],
    exchanges: ['b→c (a to c) forward', 'b→d (a to d) forward'],
  })
})

test('a union begins a chain with one exchange from each input', () => {
  const yaml = `graph: [${SOURCE}, { id: b, from: a, filter: v > 1 }, { id: c, from: a, filter: v < 0, replicas: 2 }, { id: d, from: [b, c], sink: console }]`
  expect(drawn(yaml)).toEqual({
    chains: ['a ×1: a', 'b ×1: b', 'c ×2: c', 'd ×1: d'],
    exchanges: ['a→b (a to b) forward', 'a→c (a to c) rebalance', 'b→d (b to d) forward', 'c→d (c to d) rebalance'],
  })
})

test('subtasks are named by chain and slot', () => {
  expect(subtasksOf(executionPlan(graphOf(BIDS))).map((subtask) => subtask.id)).toEqual([
    'bids-0',
    'bids-1',
    'hot-0',
    'hot-1',
  ])
})

test('the plan as text shows chains, operators and where rows go', () => {
  expect(describePlan(executionPlan(graphOf(BIDS)))).toBe(`2 chains, 4 subtasks, 128 key groups

bids ×2
  bids             source kafka, event time at
  dear             filter
    └─ hash(auction) ─▶ hot
  rows: auction long, bidder long, price long, at timestamp, channel string

hot ×2
  hot              hopping 10000 ms by 2000 ms by auction: bids = count, top = max
  out              sink druid`)
})
