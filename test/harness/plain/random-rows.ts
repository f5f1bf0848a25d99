import fc from 'fast-check'
import { FIELD_TYPES, type Field, type FieldType, type Schema } from '../../../runtime/model/schema.ts'

/** Random schemas and rows for the properties of generated code. Values are what rows may hold, -0 aside. */
export const arbitrarySchema: fc.Arbitrary<Schema> = fc.uniqueArray(
  fc.record({ name: fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,6}$/).filter((name) => !(name in Object.prototype)), type: fc.constantFrom(...FIELD_TYPES), nullable: fc.boolean() }),
  { minLength: 1, maxLength: 6, selector: (field) => field.name },
).map((fields) => ({ fields }))

const long = fc.oneof(fc.integer({ min: -10, max: 10 }), fc.integer(), fc.maxSafeInteger())
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }), fc.string({ maxLength: 20 }),
  fc.constantFrom('', 'žluťoučký kůň', '日本語', '\ud83d\ude00', '\ud83d', '\ude00', '"\\\n\u2028', 'ÿ'))

function arbitraryValue(type: FieldType): fc.Arbitrary<unknown> {
  switch (type) {
    case 'long': return long
    case 'timestamp': return fc.oneof(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }))
    case 'double': return fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer().map((n) => n / 100)).map((value) => value + 0)
    case 'boolean': return fc.boolean()
    case 'string': return text
    case 'json': return fc.jsonValue({ maxDepth: 2 }).filter((value) => value !== null).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  }
}

export function arbitraryFieldValue(field: Field): fc.Arbitrary<unknown> {
  return field.nullable ? fc.option(arbitraryValue(field.type), { nil: null, freq: 4 }) : arbitraryValue(field.type)
}

/** A schema with the values of up to `maxLength` rows. */
export function arbitraryRows(maxLength: number): fc.Arbitrary<{ schema: Schema; rows: unknown[][] }> {
  return arbitrarySchema.chain((schema) => fc.record({
    schema: fc.constant(schema),
    rows: fc.array(fc.tuple(...schema.fields.map(arbitraryFieldValue)) as fc.Arbitrary<unknown[]>, { maxLength }),
  }))
}

export const HOSTILE_NAMES = ['a b', 'constructor', '__proto__', 'x;process.exit()', 'a.b', '', 'toString', "x']", 'x\n', 'ž', 'hasOwnProperty']
