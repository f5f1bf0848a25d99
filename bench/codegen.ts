/**
 * Rates of the generated shapes on one core, over Nexmark-like bids. Prints only: `node bench/codegen.ts`.
 * Median of several rounds; each round goes over the same batches of 1024 rows.
 */
import { compileChainLoop } from '../runtime/codegen/chain.ts'
import { compileBatchCodec } from '../runtime/codegen/rows/codec.ts'
import { compileJsonWriter } from '../runtime/codegen/json/json-writer.ts'
import { compileJsonScanner } from '../runtime/codegen/json/json-scanner.ts'
import { compileKeyGrouper } from '../runtime/codegen/keys/key-grouper.ts'
import { compileRowClass } from '../runtime/codegen/rows/row.ts'
import { createPaneWindows } from '../runtime/operators/window/pane-windows.ts'
import { TableSnapshots } from '../runtime/state/table-snapshots.ts'
import { parseCondition, parseExpression } from '../runtime/expressions/parse.ts'
import type { Field, FieldType, Row, Schema } from '../runtime/model/schema.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from '../runtime/model/time.ts'
import { wholeBlocks } from '../test/harness/whole-blocks.ts'

const BATCH = 1024
const BATCHES = 128
const ROUNDS = 9
const field = (name: string, type: FieldType): Field => ({ name, type, nullable: false })
const bid: Schema = {
  fields: [
    field('auction', 'long'),
    field('bidder', 'long'),
    field('price', 'long'),
    field('channel', 'string'),
    field('url', 'string'),
    field('dateTime', 'timestamp'),
    field('extra', 'string'),
  ],
}
const slim: Schema = {
  fields: [field('auction', 'long'), field('bidder', 'long'), field('price', 'long'), field('dateTime', 'timestamp')],
}

let seed = 7
const random = (n: number): number => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
  return seed % n
}

/** Strings as they come from a source: flat, not shared. */
const fresh = (text: string): string => Buffer.from(text).toString('latin1')

function bids(schema: Schema): Row[][] {
  const RowClass = compileRowClass(schema)
  return Array.from({ length: BATCHES }, (_, b) =>
    Array.from({ length: BATCH }, (_, i) => {
      const values: Record<string, unknown> = {
        auction: random(100_000),
        bidder: random(50_000),
        price: 100 + random(1_000_000),
        channel: fresh(`channel-${random(10_000)}`),
        url: fresh(`https://www.nexmark.com/${random(1e9).toString(36)}/item.htm?query=1`),
        dateTime: 1_700_000_000_000 + b * 100 + (i >> 4),
        extra: fresh(`extra ${random(1e6)}`),
      }
      return new RowClass(...schema.fields.map(({ name }) => values[name]))
    }),
  )
}

function measure(name: string, run: () => number): void {
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const from = process.cpuUsage()
    const rows = run()
    const used = process.cpuUsage(from)
    rates.push(rows / (used.user + used.system))
  }
  rates.sort((a, b) => a - b)
  console.log(
    `${name.padEnd(56)} ${(rates[ROUNDS >> 1] ?? 0).toFixed(2).padStart(8)} M rows/s   best ${(rates[ROUNDS - 1] ?? 0).toFixed(2).padStart(8)}`,
  )
}

const failOnError = (error: unknown): never => {
  throw error
}
const full = bids(bid)
const numbers = bids(slim)
const total = BATCH * BATCHES
const out: Row[] = new Array<Row>(BATCH)

function chains(): void {
  const projected: Schema = {
    fields: [field('auction', 'long'), field('price', 'double'), field('dateTime', 'timestamp')],
  }
  const loop = compileChainLoop([
    { kind: 'filter', operatorId: 'dear', condition: parseCondition('price > 300000', bid) },
    {
      kind: 'map',
      operatorId: 'euro',
      rowClass: compileRowClass(projected),
      fields: [
        { field: field('auction', 'long'), value: parseExpression('auction', bid) },
        { field: field('price', 'double'), value: parseExpression('price * 0.908', bid) },
        { field: field('dateTime', 'timestamp'), value: parseExpression('dateTime', bid) },
      ],
    },
  ])
  measure('chain: filter (70 % pass), map to 3 fields', () => {
    for (const rows of full) loop(rows, BATCH, out, failOnError)
    return total
  })
  const groups = new Uint16Array(BATCH)
  for (const key of ['auction', 'channel']) {
    const grouper = compileKeyGrouper(
      bid.fields.filter(({ name }) => name === key),
      128,
    )
    measure(`key groups: by ${key}`, () => {
      for (const rows of full) grouper(rows, BATCH, groups)
      return total
    })
  }
}

function codecs(): void {
  for (const [name, schema, batches] of [
    ['7 fields, 3 strings', bid, full],
    ['4 numbers', slim, numbers],
  ] as const) {
    const codec = compileBatchCodec(schema, compileRowClass(schema))
    measure(`codec encode: ${name}`, () => {
      for (const rows of batches) codec.encode(rows, BATCH)
      return total
    })
    const frames = batches.map((rows) => codec.encode(rows, BATCH).slice())
    measure(`codec decode: ${name} (${((frames[0]?.length ?? 0) / BATCH).toFixed(0)} B/row)`, () => {
      for (const frame of frames) codec.decode(frame, out)
      return total
    })
  }
}

function json(): void {
  const target = Buffer.alloc(64 * 1024)
  const writer = compileJsonWriter(bid, { timestampFormat: 'epochMillis' })
  const isoWriter = compileJsonWriter(bid, { timestampFormat: 'iso' })
  let length = 0
  measure('json writer: 7 fields', () => {
    for (const rows of full) for (const row of rows) length += writer.encodeInto(row, target, 0)
    return total
  })
  measure('json writer: 7 fields, ISO timestamps', () => {
    for (const rows of full) for (const row of rows) length += isoWriter.encodeInto(row, target, 0)
    return total
  })
  for (const [name, used, schema] of [
    ['all 7 of 7 fields', writer, bid],
    ['ISO timestamps', isoWriter, bid],
    ['4 numbers of 7 fields', writer, slim],
  ] as const) {
    const scanner = compileJsonScanner(schema, compileRowClass(schema))
    const texts = full.map((rows) => {
      const records = rows.map((row) => Buffer.from(target.subarray(0, used.encodeInto(row, target, 0))))
      return { bytes: Buffer.concat(records), ends: records.map((record) => record.length) }
    })
    measure(`json scanner: ${name}`, () => {
      for (const { bytes, ends } of texts) {
        let at = 0
        for (const size of ends) {
          scanner.row(bytes, at, at + size)
          at += size
        }
      }
      return total
    })
  }
}

function windows(): void {
  const price = { kind: 'field', name: 'price', type: 'long', nullable: false } as const
  for (const [name, key, window] of [
    ['tumble 10 s by auction', 'auction', { sizeMs: 10_000, slideMs: 10_000 }],
    ['hop 10 s / 2 s by auction', 'auction', { sizeMs: 10_000, slideMs: 2000 }],
    ['tumble 10 s by channel', 'channel', { sizeMs: 10_000, slideMs: 10_000 }],
  ] as const) {
    const keys = bid.fields.filter((one) => one.name === key)
    const output: Schema = {
      fields: [
        ...keys,
        field('windowStart', 'timestamp'),
        field('windowEnd', 'timestamp'),
        field('bids', 'long'),
        field('sum', 'long'),
        field('top', 'long'),
      ],
    }
    const make = () =>
      createPaneWindows({
        keys,
        window,
        inputSchema: bid,
        outputRowClass: compileRowClass(output),
        eventTime: { field: 'dateTime', offsetMs: 0 },
        maxParallelism: 128,
        aggregates: [
          { field: field('bids', 'long'), function: 'count' },
          { field: field('sum', 'long'), function: 'sum', argument: price },
          { field: field('top', 'long'), function: 'max', argument: price },
        ],
      })
    const table = make()
    const addAll = (): number => {
      for (const rows of full) table.add(rows, BATCH, MIN_TIMESTAMP, failOnError)
      return total
    }
    measure(`window add: ${name}`, addAll)
    const entries = table.size()
    const snapshots = new TableSnapshots(table)
    measure(`window snapshot: ${name} (per entry of ${entries})`, () => {
      wholeBlocks(snapshots)
      return entries
    })
    const state = wholeBlocks(snapshots)
    measure(`window restore, merged into what is there: ${name} (per entry)`, () => {
      for (const [group, bytes] of state) snapshots.restore(group, bytes)
      snapshots.restored()
      return entries
    })
    let fired = 0
    const from = process.cpuUsage()
    while (
      table.fire(MAX_TIMESTAMP, 1000, (_, count) => {
        fired += count
      })
    );
    const used = process.cpuUsage(from)
    console.log(
      `${`window fire, once, not warm: ${name} (per row of ${fired} out)`.padEnd(56)} ${(fired / (used.user + used.system)).toFixed(2).padStart(8)} M rows/s`,
    )
  }
}

chains()
codecs()
json()
windows()
