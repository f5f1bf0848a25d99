import { BATCH_ROWS } from '../../memory/batch.ts'
import { compileKeyCodec, type KeyCodec } from '../../codegen/keys/key-codec.ts'
import { compileRowClass, type RowClass } from '../../codegen/rows/row.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import type { Change, TableChanges } from '../../state/state-store.ts'
import type { MirroredTable } from '../../graph/verbs/kit/state-mirror.ts'
import { emitBatches } from '../emit-batches.ts'
import type { Stage } from '../stage.ts'

interface MirrorParts {
  readonly keys: readonly Field[]
  readonly table: MirroredTable
  /** Of the rows that tell of changes. */
  readonly schema: Schema
  readonly changes: TableChanges
  readonly end: Stage
}

/** Tells those who read a side output what has changed in a table of state. */
export class StateMirror {
  readonly #changes: TableChanges
  readonly #end: Stage
  readonly #row: RowClass
  readonly #key: KeyCodec
  readonly #userKey: KeyCodec | undefined
  readonly #fields: readonly string[]

  constructor({ keys, table, schema, changes, end }: MirrorParts) {
    this.#changes = changes
    this.#end = end
    this.#row = compileRowClass(schema)
    this.#key = compileKeyCodec(keys)
    this.#userKey = table.kind === 'map' ? compileKeyCodec(table.userKey) : undefined
    this.#fields = table.schema.fields.map(({ name }) => name)
  }

  /**
   * Called before a barrier goes on, so that the rows belong to its checkpoint. Resolves when all have gone out;
   * `turn` lets the process do other work between two batches.
   */
  async tell(turn: () => Promise<void>): Promise<void> {
    let rows: Row[] = []
    for (const change of this.#changes.take()) {
      rows.push(this.#rowOf(change))
      if (rows.length < BATCH_ROWS) continue
      await emitBatches(this.#end, rows)
      rows = []
      await turn()
    }
    await emitBatches(this.#end, rows)
  }

  #rowOf({ key, userKey, row }: Change): Row {
    return new this.#row(
      ...this.#key.values(key),
      ...(userKey === undefined ? [] : (this.#userKey?.values(userKey) ?? [])),
      ...this.#fields.map((name) => row?.[name] ?? null),
      row === undefined,
    )
  }
}
