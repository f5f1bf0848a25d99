import { expect, test } from 'vitest'
import { executionPlan } from '../../../../runtime/plan/chaining.ts'
import { BIDS, graphOf } from './sample-job.ts'

const SOURCE =
  '{ id: a, source: { kafka: { topic: t } }, schema: { k: string, v: long, w: long, at: timestamp }, eventTime: { field: at } }'

/** What each exchange carries. */
function carried(yaml: string): Record<string, string[]> {
  return Object.fromEntries(
    executionPlan(graphOf(yaml)).exchanges.map(({ id, schema }) => [id, schema.fields.map((field) => field.name)]),
  )
}

test('a window gets its key, its event time and what it aggregates', () => {
  expect(carried(BIDS)).toEqual({ 'dear→hot': ['auction', 'price', 'at'] })
})

test('a chain that maps gets what its expressions read, also those of filters before', () => {
  const yaml = `graph: [${SOURCE}, { id: b, from: a, keyBy: k }, { id: c, from: b, filter: v > 1 }, { id: d, from: c, map: { x: w + 1 } }, { id: e, from: d, sink: console }]`
  expect(carried(yaml)).toEqual({ 'a→b': ['k', 'v', 'w'] })
})

test('a sink gets everything', () => {
  const yaml = `graph: [${SOURCE}, { id: b, from: a, keyBy: k }, { id: c, from: b, sink: console }]`
  expect(carried(yaml)).toEqual({ 'a→b': ['k', 'v', 'w', 'at'] })
})

test('each reader of a stream gets its own part of it', () => {
  const yaml = `graph: [${SOURCE}, { id: b, from: a, map: { v: v } }, { id: c, from: b, sink: console }, { id: d, from: a, map: { n: "1" } }, { id: e, from: d, sink: console }]`
  expect(carried(yaml)).toEqual({ 'a→b': ['v'], 'a→d': ['k'] })
})

test('a chain that only hands rows on gets what the chains behind it read', () => {
  const yaml = `graph: [${SOURCE}, { id: b, from: a, map: { k: k, v: v, w: w, at: at } }, { id: r, from: b, keyBy: w },
    { id: f, from: r, filter: v > 1 }, { id: win, from: f, keyBy: k, window: { tumble: 1s }, aggregate: { n: count() } }, { id: e, from: win, sink: console }]`
  expect(carried(yaml)).toEqual({ 'b→r': ['k', 'v', 'w', 'at'], 'f→win': ['k', 'at'] })
})
