import type { Fields } from '../../model/fields.ts'

/** An entry of `spec.graph`: its place in the graph is checked, its verb is not yet. */
export interface Entry {
  path: string
  id: string
  from: readonly string[]
  /** The form that it is written in: a key of `EntryReader.forms`. */
  verb: string
  fields: Fields
}
