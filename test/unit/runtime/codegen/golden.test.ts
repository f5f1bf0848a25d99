import { describe, expect, test } from 'vitest'
import { compileChainLoop, type ChainStep } from '../../../../runtime/codegen/chain.ts'
import { recordGenerated } from '../../../../runtime/codegen/emitter.ts'
import { compileRecordReader } from '../../../../runtime/codegen/json/json-record.ts'
import { compileJsonScanner } from '../../../../runtime/codegen/json/json-scanner.ts'
import { compileJsonWriter } from '../../../../runtime/codegen/json/json-writer.ts'
import { compileKeyCodec } from '../../../../runtime/codegen/keys/key-codec.ts'
import { compileKeyGrouper } from '../../../../runtime/codegen/keys/key-grouper.ts'
import { compileMaxEventTime } from '../../../../runtime/codegen/max-event-time.ts'
import { compileBatchCodec } from '../../../../runtime/codegen/rows/codec.ts'
import { compileRowMaker } from '../../../../runtime/codegen/rows/row-maker.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import type { OperatorNode } from '../../../../runtime/graph/job-graph.ts'
import { PassThroughTexts } from '../../../../runtime/memory/pass-through-texts.ts'
import type { Field, FieldType, Schema } from '../../../../runtime/model/schema.ts'
import { aroundOperator, bedGraph, OperatorBed } from '../../../harness/operator-bed.ts'

/*
 * One golden text per generator: what it generates for a small job, to be read in review. After a change on purpose,
 * `node cli/node.js node_modules/vitest/vitest.mjs run test/unit/runtime/codegen/golden.test.ts -u` writes them.
 */

const field = (name: string, type: FieldType, nullable: 'nullable' | 'never null' = 'never null'): Field => ({
  name,
  type,
  nullable: nullable === 'nullable',
})

const SCHEMA: Schema = {
  fields: [
    field('id', 'long'),
    field('channel', 'string', 'nullable'),
    field('price', 'double'),
    field('sold', 'boolean', 'nullable'),
    field('at', 'timestamp'),
  ],
}
const WITH_JSON: Schema = { fields: [...SCHEMA.fields, field('tags', 'json')] }
const ROW = { id: 'long', channel: 'string?', price: 'double', at: 'timestamp', tags: 'json' }

const USER = { module: 'user', function: 'f' }
const MODULES = { user: { f: (value: unknown) => value } }

/** The operator of a job around one entry. */
const around = (entry: object, memory?: string): (() => void) => {
  const graph = aroundOperator(ROW, entry, { eventTime: 'at', memory, modules: { user: { path: './user.ts' } } })
  return () => new OperatorBed(graph, 'op', { modules: MODULES })
}

/** The operator of a job of two inputs. */
const ofTwo = (entry: object, memory?: string): (() => void) => {
  const input = (id: string): object => ({ id, source: 'list', schema: ROW, eventTime: { field: 'at' } })
  const graph = bedGraph({
    ...(memory === undefined ? {} : { state: { memory } }),
    graph: [
      input('in'),
      input('other'),
      { id: 'op', from: ['in', 'other'], ...entry },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
  return () => new OperatorBed(graph, 'op')
}

const SELECT = { id: 'left.id', paid: 'left.price + right.price' }

/** What generates code, by the name of its golden text. */
const GENERATORS: Readonly<Record<string, () => void>> = {
  row: () => compileRowClass(SCHEMA),
  'batch-codec': () => compileBatchCodec(WITH_JSON, compileRowClass(WITH_JSON)),
  'user-row': () => compileRowMaker(WITH_JSON, compileRowClass(WITH_JSON)),
  'json-record': () => compileRecordReader(WITH_JSON, compileRowClass(WITH_JSON)),
  'json-scanner': () => {
    scanTwice(SCHEMA)
  },
  'json-scanner-passed': () => {
    scanTwice(SCHEMA, new PassThroughTexts(new Set(['channel', 'at']), new Map([['name', 'channel']])))
  },
  'json-writer': () => compileJsonWriter(WITH_JSON, { timestampFormat: 'iso' }),
  'key-codec': () => compileKeyCodec([field('id', 'long'), field('channel', 'string', 'nullable')]),
  'key-groups': () => compileKeyGrouper([field('id', 'long'), field('channel', 'string', 'nullable')], 128),
  'event-time': () => compileMaxEventTime(field('at', 'timestamp', 'nullable')),
  chain: () => compileChainLoop(chainSteps()),
  router: around({ sideOutput: [{ dear: 'price > 100' }, { named: USER }] }),
  unnest: around({ flatMap: { unnest: 'tags', as: 'tag', type: 'string' } }),
  'window-hop': around({
    keyBy: ['id', 'channel'],
    window: { hop: '2s', size: '10s' },
    aggregate: { n: 'count()', top: 'max(price)', total: 'sum(id)', mean: 'avg(price)' },
    lateness: '1s',
    emit: { early: '1s' },
  }),
  'window-session': around({
    keyBy: 'id',
    window: { session: '5s' },
    aggregate: { names: 'countDistinct(channel)', first: 'first(channel)', dearest: 'argMax(channel, price)' },
  }),
  'aggregate-running': around({
    keyBy: 'channel',
    aggregate: { spread: 'stddev(price)', p90: 'percentile(price, 0.9)', last: 'max(channel)' },
    emit: { every: '1s' },
    ttl: '1h',
  }),
  'aggregate-columns': around({
    keyBy: ['channel', 'id'],
    aggregate: {
      bids: 'count()',
      dearest: 'max(price)',
      prices: 'countDistinct(price)',
      dearPrices: 'countDistinctIf(price, price > 100)',
    },
  }),
  reducer: around({ keyBy: 'id', reduce: { price: 'previous.price + current.price' } }),
  'dedupe-first': around({ keyBy: 'id', dedupe: { keep: 'first' } }),
  'dedupe-last': around({ keyBy: ['id', 'channel'], dedupe: { keep: 'last', ttl: '1h' } }, '1Mi'),
  'top-n': around({ keyBy: 'channel', topN: { limit: 3, by: 'price', rank: 'place' } }),
  'top-n-columns': around({ keyBy: 'id', topN: { limit: 3, by: 'price', rank: 'place' } }),
  records: around({
    keyBy: 'id',
    process: {
      ...USER,
      output: { id: 'long' },
      state: {
        last: { value: { price: 'double?', isSold: 'boolean' } },
        seen: { list: { channel: 'string' } },
        by: { map: { n: 'long' }, key: { channel: 'string' }, ttl: '1h' },
      },
    },
  }),
  pattern: around({
    keyBy: 'id',
    pattern: {
      steps: [
        { name: 'low', where: 'price < 1' },
        { name: 'high', where: 'price > low.price', times: '2+' },
      ],
      within: '1m',
      select: { id: 'id', top: 'high.last.price' },
    },
  }),
  'join-interval': ofTwo({
    join: {
      keyBy: ['id', 'channel'],
      type: 'left',
      within: { before: '1s', after: '2s' },
      where: 'left.price > right.price',
      select: SELECT,
    },
  }),
  'join-window': ofTwo({ join: { keyBy: 'id', window: { tumble: '10s' }, select: SELECT } }),
  'join-stored': ofTwo(
    { join: { keyBy: 'id', within: { before: '1s' }, select: { ...SELECT, to: 'right.channel' } } },
    '1Mi',
  ),
  'join-semi': ofTwo({ join: { keyBy: 'id', type: 'semi', ttl: '1h' } }),
  broadcast: ofTwo({
    broadcast: {
      key: 'channel',
      where: 'left.price > right.price',
      remove: 'right.price === 0',
      select: { id: 'left.id' },
    },
  }),
}

describe('generated code', () => {
  test.each(Object.entries(GENERATORS))('of %s is the text in golden/%s.js', async (name, generate) => {
    const sources = await recordGenerated(() => {
      generate()
      return Promise.resolve()
    })
    // a row class is read once, in row.js
    const shown = name === 'row' ? sources : sources.filter(({ shape }) => shape !== 'row')
    const text = shown.map(({ shape, text: source }) => `// ----- ${shape}\n${source}\n`).join('\n')
    await expect(text).toMatchFileSnapshot(`golden/${name}.js`)
  })
})

function chainSteps(): ChainStep[] {
  const graph = bedGraph({
    graph: [
      { id: 'in', source: 'list', schema: ROW },
      { id: 'dear', from: 'in', filter: "price > 100 && (channel ?? 'none') !== 'test'" },
      { id: 'short', from: 'dear', map: { id: 'id', text: '`${channel}:${id}`', half: 'Math.floor(id / 2)' } },
      { id: 'own', from: 'short', filter: USER },
      { id: 'out', from: 'own', sink: 'console' },
    ],
    modules: { user: { path: './user.ts' } },
  })
  return graph.operators.flatMap((node): ChainStep[] => stepOf(node))
}

function stepOf({ id, verb, schema }: OperatorNode): ChainStep[] {
  switch (verb.kind) {
    case 'filter':
      return [{ kind: 'filter', operatorId: id, condition: verb.condition }]
    case 'map':
      return [{ kind: 'map', operatorId: id, fields: verb.fields, rowClass: compileRowClass(schema) }]
    case 'userFilter':
      return [{ kind: 'userFilter', operatorId: id, call: () => true }]
    default:
      return []
  }
}

/** The layout of records is learned from the first of them. */
function scanTwice(schema: Schema, passed?: PassThroughTexts): void {
  const scanner = compileJsonScanner(schema, compileRowClass(schema), passed)
  const record = Buffer.from(
    '{"id":1,"channel":"web","price":2.5,"sold":true,"extra":null,"at":"2026-11-22T00:00:00Z"}',
  )
  scanner.open?.(record)
  for (let n = 0; n < 2; n++) scanner.row(record, 0, record.length)
}
