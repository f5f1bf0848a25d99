import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileJsonScanner } from '../../../../runtime/codegen/json/json-scanner.ts'
import { compileJsonWriter } from '../../../../runtime/codegen/json/json-writer.ts'
import { canPass, PassThroughTexts } from '../../../../runtime/memory/pass-through-texts.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import type { Field, Row, Schema } from '../../../../runtime/model/schema.ts'
import { arbitraryRows } from '../../../harness/plain/random-rows.ts'

/** Records of one source, through a chain that hands on some fields, to one sink. */
class Passage {
  readonly passed: PassThroughTexts | undefined
  readonly #scan: (bytes: Buffer, start: number, end: number) => Row
  readonly #write: (row: Row) => string
  readonly #open: (bytes: Buffer) => void

  /** `handedOn` are the sink's fields; of those and the others, which `passes` names are not looked at. */
  constructor(schema: Schema, handedOn: readonly Field[], passes: ReadonlySet<string>) {
    const sinks = new Map(handedOn.filter(({ name }) => passes.has(name)).map(({ name }) => [name, name]))
    this.passed = passes.size === 0 ? undefined : new PassThroughTexts(passes, sinks)
    const writer = compileJsonWriter({ fields: [...handedOn] }, { timestampFormat: 'epochMillis' }, this.passed)
    const scanner = compileJsonScanner(schema, compileRowClass(schema), this.passed)
    const rows = compileRowClass({ fields: [...handedOn] })
    const buffer = Buffer.alloc(100_000)
    this.#open = (bytes) => scanner.open?.(bytes)
    this.#scan = (bytes, start, end) => scanner.row(bytes, start, end)
    this.#write = (row) =>
      buffer.toString('utf8', 7, 7 + writer.encodeInto(new rows(...handedOn.map(({ name }) => row[name])), buffer, 7))
  }

  /** What comes out of each record, or what was said of it. Rows of one poll exist at the same time. */
  all(bytes: Buffer, records: readonly { start: number; end: number }[]): string[] {
    this.passed?.clear()
    this.#open(bytes)
    const rows = records.map(({ start, end }) => {
      try {
        return this.#scan(bytes, start, end)
      } catch (error) {
        return (error as Error).message
      }
    })
    return rows.map((row) => (typeof row === 'string' ? row : this.#write(row)))
  }

  shown(bytes: Buffer, { start, end }: { start: number; end: number }): Row {
    const row = this.#scan(bytes, start, end)
    return { ...(this.passed?.shown(row) ?? row) }
  }
}

function laid(texts: readonly (string | Buffer)[]): { bytes: Buffer; records: { start: number; end: number }[] } {
  const parts: Buffer[] = [Buffer.from('}"1')]
  let at = 3
  const records = texts.map((text) => {
    const record = Buffer.from(text)
    parts.push(record, Buffer.from('9"'))
    at += record.length + 2
    return { start: at - record.length - 2, end: at - 2 }
  })
  return { bytes: Buffer.concat(parts), records }
}

const SCHEMA: Schema = {
  fields: ['a', 'b']
    .map((name): Field => ({ name, type: 'long', nullable: false }))
    .concat([
      { name: 's', type: 'string', nullable: false },
      { name: 't', type: 'timestamp', nullable: true },
      { name: 'u', type: 'string', nullable: true },
      { name: 'd', type: 'double', nullable: false },
    ]),
}
const ALL = new Set(['a', 'b', 's', 't', 'u'])

describe('values that are passed', () => {
  test('come out as those that were read and written, whatever the record, its layout and the chain are', () => {
    const layout = fc.record({
      order: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
      gap: fc.constantFrom('', ' '),
      extra: fc.boolean(),
      isIso: fc.boolean(),
      picked: fc.nat(255),
      kept: fc.nat(255),
    })
    fc.assert(
      fc.property(arbitraryRows(12), layout, ({ schema, rows }, { order, gap, extra, isIso, picked, kept }) => {
        const keys = schema.fields
          .map((field, index) => ({ field, index, rank: order[index] ?? 0 }))
          .sort((a, b) => a.rank - b.rank)
        const texts = rows.map((values, n) => {
          const members = keys.map(
            ({ field, index }) =>
              `${JSON.stringify(field.name)}:${gap}${JSON.stringify(field.type === 'timestamp' && isIso && values[index] !== null && n % 5 !== 0 ? new Date(values[index] as number).toISOString() : values[index])}`,
          )
          if (extra) members.splice(1, 0, `"no field":${gap}"ž"`)
          return `{${members.join(`,${gap}`)}}`
        })
        const { bytes, records } = laid(texts)
        const handedOn = schema.fields.filter((_, index) => ((kept >> (index % 8)) & 1) === 1)
        const passes = new Set(
          schema.fields
            .filter(
              (field, index) =>
                ((picked >> (index % 8)) & 1) === 1 &&
                (handedOn.includes(field) ? canPass(field) : field.type !== 'json' && field.logical === undefined),
            )
            .map(({ name }) => name),
        )
        const passage = new Passage(schema, handedOn, passes)
        const plain = new Passage(schema, handedOn, new Set())
        expect(passage.all(bytes, records)).toEqual(plain.all(bytes, records))
        // the layout is known by now
        expect(passage.all(bytes, records)).toEqual(plain.all(bytes, records))
        for (const record of records) expect(passage.shown(bytes, record)).toEqual(plain.shown(bytes, record))
      }),
      { numRuns: 300 },
    )
  })

  test('texts that are no JSON, or have another form, are refused or come out as when they are read, with the same words', () => {
    const base = '{"a":12,"b":-5,"s":"text","t":1700000000000,"u":"more","d":3.25}'
    const put = fc.constantFrom(
      '',
      '0',
      '-',
      '-0',
      '.',
      '.0',
      'e',
      'e2',
      '"',
      '\\',
      '\\u0041',
      ' ',
      ',',
      '}',
      '9999999999999999',
      '9007199254740993',
      'ž',
      '\u0001',
      '\u007f',
      'null',
      '"2001-02-03T04:05:06Z"',
      '\ud800',
    )
    fc.assert(
      fc.property(fc.nat(base.length), fc.nat(3), put, fc.boolean(), (at, cut, text, isBroken) => {
        const changed = Buffer.from(base.slice(0, at) + text + base.slice(at + cut))
        if (isBroken && changed.length > at) changed[at] = 0xff
        const { bytes, records } = laid([base, base, changed, base, changed.subarray(0, at)])
        for (const handedOn of [SCHEMA.fields, SCHEMA.fields.slice(1, 4), [SCHEMA.fields[4] as Field]]) {
          const passage = new Passage(SCHEMA, handedOn, ALL)
          const plain = new Passage(SCHEMA, handedOn, new Set())
          expect(passage.all(bytes, records)).toEqual(plain.all(bytes, records))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('keys twice, in another order, nested and missing ones come out as when they are read', () => {
    const { bytes, records } = laid([
      '{"a":1,"b":2,"s":"x","t":3,"u":"y","d":1}',
      '{"b":2,"a":1,"s":"x","t":3,"u":"y","d":1}',
      '{"a":1,"b":2,"s":"x","t":3,"u":"y","d":1,"a":7}',
      '{"a":1,"b":2,"o":{"a":[1]},"s":"x","d":1}',
      '{"a":1,"b":2,"s":"x","t":null,"u":null,"d":0.1}',
      '{"a":1,"b":2,"t":3,"u":"y","d":1}',
      '{"a":"1","b":2,"s":"x","d":1}',
      '[]',
      '',
    ])
    const [passage, plain] = [new Passage(SCHEMA, SCHEMA.fields, ALL), new Passage(SCHEMA, SCHEMA.fields, new Set())]
    for (let i = 0; i < 3; i++) expect(passage.all(bytes, records)).toEqual(plain.all(bytes, records))
  })

  test('a record that is not UTF-8 is refused, whether its texts are looked at or not', () => {
    const broken = Buffer.from('{"a":1,"b":2,"s":"?x","t":3,"u":"y","d":1}')
    broken[broken.indexOf('?')] = 0xc3
    const { bytes, records } = laid(['{"a":1,"b":2,"s":"ž流😀","t":3,"u":"y","d":1}', broken])
    const passage = new Passage(SCHEMA, SCHEMA.fields, ALL)
    for (let i = 0; i < 3; i++)
      expect(passage.all(bytes, records)).toEqual([
        '{"a":1,"b":2,"s":"ž流😀","t":3,"u":"y","d":1}',
        expect.stringContaining('not UTF-8'),
      ])
  })
})

describe('decimals', () => {
  test('every double is written as JSON.stringify writes it, those of few digits too', () => {
    const writer = compileJsonWriter(
      { fields: [{ name: 'd', type: 'double', nullable: false }] },
      { timestampFormat: 'iso' },
    )
    const buffer = Buffer.alloc(200)
    const few = fc
      .tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.constantFrom(1, 10, 100, 1000, 10_000, 0.1, 1e-6))
      .map(([digits, by]) => digits / by)
    fc.assert(
      fc.property(
        fc.oneof(
          few,
          few.map((value) => value * 0.908),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
        ),
        (d) => {
          expect(buffer.toString('latin1', 0, writer.encodeInto({ d }, buffer, 0))).toBe(JSON.stringify({ d: d + 0 }))
        },
      ),
      { numRuns: 3000 },
    )
  })
})
