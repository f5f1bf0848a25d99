import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { parseAggregate } from '../../../../runtime/expressions/aggregate.ts'
import { foreignFunction, foreignKey } from '../../../../runtime/expressions/foreign-words.ts'
import { parseExpression } from '../../../../runtime/expressions/parse.ts'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { schemaOf } from '../../../harness/formats.ts'

const JOB = `
replicas: 1
graph:
  - id: bids
    source: { kafka: { brokers: 'k:9092', topic: bids, format: json } }
    schema: { at: timestamp, auction: long }
    eventTime: { field: at }
  - id: hot
    from: bids
    keyBy: auction
    window: { tumble: 10s }
    aggregate: { seen: count() }
  - id: out
    from: hot
    sink: { kafka: { brokers: 'k:9092', topic: out, delivery: atLeastOnce } }
`

function hints(spec: string): (string | undefined)[] {
  const result = validateJob(parse(spec), builtinConnectors)
  return 'problems' in result ? result.problems.map(({ hint }) => hint) : []
}

describe('a word of Flink, Kafka Streams or SQL', () => {
  test.each([
    ['replicas: 1', 'parallelism: 1', 'it is called replicas'],
    ['eventTime: { field: at }', 'watermark: { delay: 4s }', 'eventTime: { field: at, outOfOrderness: 4s }'],
    ['{ field: at }', '{ field: at, watermark: 4s }', 'it is called outOfOrderness'],
    ['{ field: at }', '{ field: at, idleness: 4s }', 'it is called idleAfter'],
    ["brokers: 'k:9092', topic: bids", "bootstrap.servers: 'k:9092', topic: bids", 'it is called brokers'],
    ["brokers: 'k:9092', topic: out", "bootstrapServers: 'k:9092', topic: out", 'it is called brokers'],
    ['topic: bids', 'topic: bids, group.id: x', 'offsets live in the checkpoints'],
    ['topic: bids', 'topic: bids, auto.offset.reset: earliest', 'it is called startFrom'],
    ['delivery: atLeastOnce', 'sink.delivery-guarantee: none', 'delivery: atLeastOnce'],
    ['{ tumble: 10s }', '{ size: 10s, slide: 2s }', '{ hop: 2s, size: 10s }'],
    ['{ tumble: 10s }', '{ gap: 2s }', '{ session: 10s }'],
    ['{ tumble: 10s }', '{ tumble: 10s, allowedLateness: 2s }', 'lateness: 10s, beside the window'],
    ['aggregate: {', 'allowedLateness: 2s\n    aggregate: {', 'it is called lateness'],
    ['keyBy: auction', 'groupBy: auction', 'it is called keyBy'],
    ['keyBy: auction', 'keyBy: auction\n    parallelism: 2', 'it is called replicas'],
    ['sink: {', 'addSink: {', 'it is called sink'],
    ['schema: {', 'columns: {', 'it is called schema'],
    ['replicas: 1', 'checkpoint-interval: 1s', 'checkpoints: { interval: 10s }'],
    ['replicas: 1', 'state.backend: rocksdb', 'state: { memory: 2Gi'],
  ])('in the place of %j, %j, is answered with ours', (ours, theirs, hint) => {
    expect(hints(JOB)).toEqual([])
    const written = JOB.replace(ours, theirs)
    expect(written).not.toBe(JOB)
    expect(
      hints(written).some((given) => given?.includes(hint)),
      JSON.stringify(hints(written)),
    ).toBe(true)
  })

  test.each([
    ['where: auction > 1', 'filter'],
    ['select: { a: auction }', 'map'],
    ['windowBy: 10s', 'window'],
    ['distinct: true', 'dedupe'],
  ])('that is no verb, %s, is answered with the verb and nothing else', (theirs, verb) => {
    const written = JOB.replace(
      '    keyBy: auction\n    window: { tumble: 10s }\n    aggregate: { seen: count() }',
      `    ${theirs}`,
    )
    expect(hints(written)).toEqual([`it is called ${verb}`])
  })

  test.each([
    ['UPPER(city)', 'city', 'text.toUpperCase()'],
    ['SUBSTRING(city, 1)', 'city', 'text.substring(…)'],
    ['CAST(price)', 'price', 'Number(…)'],
    ['COALESCE(city, 1)', 'city', 'a ?? b'],
    ["DATE_FORMAT(at, 'yyyy')", 'at', 'Date.format(at'],
    ['EXTRACT(at)', 'at', 'Date.year(at)'],
    ["REGEXP_EXTRACT(city, 'a')", 'city', 'text.extract(/…/, 1)'],
    ['TO_TIMESTAMP(city)', 'city', 'Date.parse(text)'],
    ['TIMESTAMPDIFF(at, at)', 'at', 'Date.diff('],
    ['TUMBLE(at)', 'at', 'window: { tumble: 10s }'],
    ['LEFT(city, 2)', 'city', 'text.slice(0, n)'],
    ['HOUR(at)', 'at', 'Date.hour(at)'],
    ['TRUNC(price)', 'price', 'Math.trunc(…)'],
  ])('as a function, %s, is answered with ours', (text, _, hint) => {
    const types = { city: 'string', price: 'double', at: 'timestamp' }
    expect(() => parseExpression(text, schemaOf(types))).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_FUNCTION', hint: expect.stringContaining(hint) as unknown }),
    )
  })

  test('as an aggregate is answered with ours', () => {
    for (const [text, hint] of [
      ['COUNT_DISTINCT(a)', 'countDistinct'],
      ['LISTAGG(a)', 'collect(field)'],
      ['FIRST_VALUE(a)', 'first(field)'],
    ] as const)
      try {
        parseAggregate(text, schemaOf({ a: 'long' }))
        expect.unreachable()
      } catch (error) {
        expect(error instanceof MillraceError ? error.hint : error).toContain(hint)
      }
  })

  test('is not looked for where ours cannot stand, or is written', () => {
    expect(foreignKey('slide', ['field', 'idleAfter'])).toBeUndefined()
    expect(foreignKey('window', ['window'])).toBeUndefined()
    expect(foreignFunction('price')).toBeUndefined()
  })
})
