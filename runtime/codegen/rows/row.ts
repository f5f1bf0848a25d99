import type { Row, Schema } from '../../model/schema.ts'
import { Emitter } from '../emitter.ts'

/** The generated class of a stream's rows: constructor parameters in schema order, one stable hidden class. */
export type RowClass = new (...values: unknown[]) => Row

/** Generates a row class. Each call gives a new class: one per stream, never shared. */
export function compileRowClass(schema: Schema): RowClass {
  const code = new Emitter()
  const parameters = schema.fields.map((_, index) => `v${index}`)
  code.line(`return class GeneratedRow { constructor(${parameters.join(', ')}) {`)
  schema.fields.forEach((field, index) => code.line(`this${code.property(field.name)} = v${index}`))
  code.line(`} }`)
  return code.compile<RowClass>({})
}
