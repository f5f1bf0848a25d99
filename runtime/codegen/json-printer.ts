import type { Field, Schema } from '../model/schema.ts'
import type { RowPrinter } from './contracts.ts'
import { Emitter } from './emitter.ts'
import { isoPrinter } from './timestamp-text.ts'

/** Generates the JSON text of a row: one object, no newline, fields in schema order, nulls written. */
export function compileJsonPrinter(schema: Schema, options: { timestampFormat: 'iso' | 'epochMillis' }): RowPrinter {
  const code = new Emitter()
  code.line(`return function printRow(r) { let v`)
  const parts = schema.fields.map((field, index) => {
    code.property(field.name) // refuses hostile names before they stand in a literal
    const lead = `${index === 0 ? '{' : ','}${JSON.stringify(field.name)}:`
    return `${code.literal(lead)} + ${printedValue(field, `r${code.property(field.name)}`, options.timestampFormat)}`
  })
  code.line(`return ${parts.length === 0 ? `'{}'` : `${parts.join(' + ')} + '}'`} }`)
  return code.compile<RowPrinter>({ quote: JSON.stringify, iso: isoPrinter() })
}

function printedValue(field: Field, value: string, timestampFormat: 'iso' | 'epochMillis'): string {
  const present = presentValue(field, field.nullable ? 'v' : value, timestampFormat)
  return field.nullable ? `((v = ${value}) === null ? 'null' : ${present})` : present
}

function presentValue(field: Field, value: string, timestampFormat: 'iso' | 'epochMillis'): string {
  switch (field.type) {
    case 'string': case 'json': return `quote(${value})`
    case 'timestamp': return timestampFormat === 'iso' ? `'"' + iso(${value}) + '"'` : value
    case 'long': case 'double': case 'boolean': return value
  }
}
