import fc from 'fast-check'
import {
  FIELD_TYPES,
  isFieldName,
  namedField,
  type Field,
  type FieldType,
  type LogicalType,
  type Schema,
  type ValueType,
} from '../../../runtime/model/schema.ts'

/** What every object has: field names like any other. */
export const INHERITED_NAMES = Object.getOwnPropertyNames(Object.prototype).filter(isFieldName)

/** Random schemas and rows for the properties of generated code. Values are what rows may hold, -0 aside. */
export const arbitrarySchema: fc.Arbitrary<Schema> = fc
  .uniqueArray(
    fc.record({
      name: fc.oneof(
        { weight: 9, arbitrary: fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,6}$/).filter(isFieldName) },
        { weight: 1, arbitrary: fc.constantFrom(...INHERITED_NAMES) },
      ),
      type: fc.constantFrom(...FIELD_TYPES),
      nullable: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6, selector: (field) => field.name },
  )
  .map((fields) => ({ fields }))

const long = fc.oneof(fc.integer({ min: -10, max: 10 }), fc.integer(), fc.maxSafeInteger())
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({ maxLength: 20 }),
  fc.constantFrom('', 'žluťoučký kůň', '日本語', '\ud83d\ude00', '\ud83d', '\ude00', '"\\\n\u2028', 'ÿ'),
)

function arbitraryValue(type: FieldType): fc.Arbitrary<unknown> {
  switch (type) {
    case 'long':
      return long
    case 'timestamp':
      return fc.oneof(
        fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
        fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
      )
    case 'double':
      return fc
        .oneof(
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer().map((n) => n / 100),
        )
        .map((value) => value + 0)
    case 'boolean':
      return fc.boolean()
    case 'string':
      return text
    case 'json':
      return fc
        .jsonValue({ maxDepth: 2 })
        .filter((value) => value !== null)
        .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  }
}

export function arbitraryFieldValue(field: Field): fc.Arbitrary<unknown> {
  return field.nullable ? fc.option(arbitraryValue(field.type), { nil: null, freq: 4 }) : arbitraryValue(field.type)
}

/** A schema with the values of up to `maxLength` rows. */
export function arbitraryRows(maxLength: number): fc.Arbitrary<{ schema: Schema; rows: unknown[][] }> {
  return arbitrarySchema.chain((schema) =>
    fc.record({
      schema: fc.constant(schema),
      rows: fc.array(fc.tuple(...schema.fields.map(arbitraryFieldValue)) as fc.Arbitrary<unknown[]>, { maxLength }),
    }),
  )
}

const fieldName = fc
  .oneof(
    { weight: 9, arbitrary: fc.stringMatching(/^[a-z_][A-Za-z0-9_]{0,6}$/) },
    { weight: 1, arbitrary: fc.constantFrom(...INHERITED_NAMES) },
  )
  .filter(isFieldName)

function arbitraryLogical(depth: number): fc.Arbitrary<{ type: FieldType; logical?: LogicalType }> {
  const flat: fc.Arbitrary<{ type: FieldType; logical?: LogicalType }>[] = [
    fc.constantFrom(...FIELD_TYPES).map((type) => ({ type })),
    fc.constantFrom(
      { type: 'long' as const, logical: { kind: 'date' as const } },
      { type: 'string' as const, logical: { kind: 'bytes' as const } },
      { type: 'long' as const, logical: { kind: 'time' as const } },
      { type: 'string' as const, logical: { kind: 'bigint' as const } },
    ),
    fc.tuple(fc.integer({ min: 1, max: 38 }), fc.nat(38)).map(([precision, scale]) => ({
      type: 'string' as const,
      logical: { kind: 'decimal' as const, precision, scale: Math.min(scale, precision) },
    })),
  ]
  if (depth === 0) return fc.oneof(...flat)
  const inner = arbitraryValueType(depth - 1)
  return fc.oneof(
    ...flat,
    inner.map((items) => ({ type: 'json' as const, logical: { kind: 'array' as const, items } })),
    inner.map((values) => ({ type: 'json' as const, logical: { kind: 'map' as const, values } })),
    fc
      .uniqueArray(fc.tuple(fieldName, inner), { minLength: 1, maxLength: 4, selector: ([name]) => name })
      .map((fields) => ({
        type: 'json' as const,
        logical: { kind: 'row' as const, fields: fields.map(([name, type]) => namedField(name, type)) },
      })),
  )
}

/** Types with logical ones among them, nested up to `depth`. */
export function arbitraryValueType(depth: number): fc.Arbitrary<ValueType> {
  return fc.tuple(arbitraryLogical(depth), fc.boolean()).map(([type, nullable]) => ({ ...type, nullable }))
}

/** Values of the type as rows carry them. */
export function arbitraryOf(type: ValueType): fc.Arbitrary<unknown> {
  const value = arbitraryPresent(type)
  return type.nullable ? fc.option(value, { nil: null, freq: 4 }) : value
}

function arbitraryPresent({ type, logical }: ValueType): fc.Arbitrary<unknown> {
  switch (logical?.kind) {
    case undefined:
      return arbitraryValue(type)
    case 'date':
      return fc.integer({ min: -700_000, max: 2_900_000 })
    case 'time':
      return fc.integer({ min: 0, max: 86_399_999 })
    case 'bigint':
      return fc
        .oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -9n, max: 9n }))
        .map(String)
    case 'map':
      return fc
        .dictionary(
          fc.string({ maxLength: 4 }).filter((key) => key !== '__proto__'),
          arbitraryOf(logical.values),
          { maxKeys: 4 },
        )
        .map((map) => ({ ...map }))
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
    case 'decimal': {
      const { precision, scale } = logical
      return fc
        .bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n })
        .map((unscaled) => {
          const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
          return `${unscaled < 0n ? '-' : ''}${scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`}`
        })
    }
    case 'array':
      return fc.array(arbitraryOf(logical.items), { maxLength: 4 })
    case 'row':
      return fc
        .record(Object.fromEntries(logical.fields.map((field) => [field.name, arbitraryOf(field)])))
        .map((row) => ({ ...row }))
  }
}

/** Schemas with logical types, and rows of them. */
export const arbitraryTypedRows: fc.Arbitrary<{ schema: Schema; rows: unknown[][] }> = fc
  .uniqueArray(fc.tuple(fieldName, arbitraryValueType(2)), { minLength: 1, maxLength: 5, selector: ([name]) => name })
  .map((fields) => ({ fields: fields.map(([name, type]) => namedField(name, type)) }))
  .chain((schema) =>
    fc.record({
      schema: fc.constant(schema),
      rows: fc.array(fc.tuple(...schema.fields.map(arbitraryOf)) as fc.Arbitrary<unknown[]>, { maxLength: 5 }),
    }),
  )

export const HOSTILE_NAMES = ['a b', '__proto__', 'x;process.exit()', 'a.b', '', "x']", 'x\n', 'ž']
