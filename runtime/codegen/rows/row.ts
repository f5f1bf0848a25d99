import type { Row, Schema } from '../../model/schema.ts'
import { compile, js, property } from '../emitter.ts'

/** The generated class of a stream's rows: constructor parameters in schema order, one stable hidden class. */
export type RowClass = new (...values: unknown[]) => Row

/** Generates a row class. Each call gives a new class: one per stream, never shared. */
export function compileRowClass({ fields }: Schema): RowClass {
  return compile<RowClass>(
    'row',
    js`
      return class GeneratedRow {
        constructor(${fields.map((_, index) => js`v${index}`)}) {
          ${fields.map(({ name }, index) => js`this${property(name)} = v${index}`)}
        }
      }`,
  )
}
