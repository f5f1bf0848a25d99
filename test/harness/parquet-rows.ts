import fc from 'fast-check'
import type { Field, Row, Schema } from '../../runtime/model/schema.ts'
import { textOfUnits } from '../../runtime/model/decimal-units.ts'
import { namedField } from '../../runtime/model/schema.ts'
import { parseValueType } from '../../runtime/model/value-type.ts'

const DAY_MS = 86_400_000
/** The years 1 to 9999: what Python's datetime holds. */
const FIRST_MS = -62_135_596_800_000
const LAST_MS = 253_402_300_799_999

const typeText = fc.oneof(
  fc.constantFrom('long', 'double', 'boolean', 'string', 'timestamp', 'json', 'bigint', 'date', 'time', 'bytes'),
  fc
    .integer({ min: 1, max: 38 })
    .chain((precision) => fc.integer({ min: 0, max: precision }).map((scale) => `decimal(${precision},${scale})`)),
)

/** Schemas of 1 to 8 fields of any type that Parquet holds. */
export const randomSchema: fc.Arbitrary<Schema> = fc
  .array(fc.tuple(typeText, fc.boolean()), { minLength: 1, maxLength: 8 })
  .map((types) => ({
    fields: types.map(([text, nullable], index) => {
      const type = parseValueType(text)
      if (type === undefined) throw new Error(`no type: ${text}`)
      return namedField(`f${index}`, { ...type, nullable })
    }),
  }))

/** 0 to 3000 rows, in which values repeat, so that dictionaries are written. */
export function parquetRows(schema: Schema): fc.Arbitrary<Row[]> {
  const pools = schema.fields.map((field) => {
    const value = field.nullable ? fc.option(valueOf(field), { nil: null, freq: 3 }) : valueOf(field)
    return fc.array(value, { minLength: 1, maxLength: 40 })
  })
  return fc
    .tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 37 }), ...pools)
    .map(([count, step, ...values]) =>
      Array.from({ length: count }, (_, index) =>
        Object.fromEntries(
          schema.fields.map(({ name }, place) => {
            const pool = (values[place] ?? []) as readonly unknown[]
            return [name, pool[(index * step + (index >> 5)) % pool.length]]
          }),
        ),
      ),
    )
}

function valueOf(field: Field): fc.Arbitrary<unknown> {
  const { logical } = field
  switch (logical?.kind) {
    case 'date':
      return fc.integer({ min: Math.ceil(FIRST_MS / DAY_MS), max: Math.floor(LAST_MS / DAY_MS) })
    case 'time':
      return fc.integer({ min: 0, max: DAY_MS - 1 })
    case 'bigint':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
    case 'bytes':
      return fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
    case 'decimal': {
      const most = 10n ** BigInt(logical.precision) - 1n
      return fc.bigInt({ min: -most, max: most }).map((units) => textOfUnits(units, logical.scale))
    }
    default:
      return plainValueOf(field)
  }
}

function plainValueOf({ type }: Field): fc.Arbitrary<unknown> {
  switch (type) {
    case 'long':
      return fc.maxSafeInteger()
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
    case 'boolean':
      return fc.boolean()
    case 'timestamp':
      return fc.integer({ min: FIRST_MS, max: LAST_MS })
    case 'json':
      return fc.record({ a: fc.integer(), b: fc.array(fc.string()) })
    case 'string':
      return fc.oneof(
        fc.string({ unit: 'binary', maxLength: 30 }),
        fc.string({ unit: 'grapheme-ascii', maxLength: 200 }),
      )
  }
}

/** The value of a row as `values.py` prints what it reads of Parquet. */
export function parquetText(field: Field, value: unknown): string | null {
  if (value === null) return null
  if (field.logical?.kind === 'bytes') return Buffer.from(String(value), 'latin1').toString('hex')
  if (field.type === 'timestamp') return String(BigInt(value as number) * 1000n)
  if (field.type === 'double') return hexOf(value as number)
  if (field.type === 'json') return JSON.stringify(value)
  return String(value)
}

function hexOf(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes.toString('hex')
}
