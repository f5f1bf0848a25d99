import { compileRowMaker } from '../../codegen/rows/row-maker.ts'
import type { Table, TableRow } from '../../ports/table.ts'
import type { LookupVerb } from '../../graph/verbs/join/lookup.ts'
import type { TableCall } from '../../graph/verbs/join/table-lookup.ts'
import type { Batch } from '../../memory/batch.ts'
import { memberOf } from '../../model/fields.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { AsyncCall } from '../async-map/async-call.ts'
import { CallStage } from '../async-map/async-map-stage.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'
import { AnswerCache } from './answer-cache.ts'
import { ambiguous, noRow } from './lookup-errors.ts'

type TableLookupVerb = LookupVerb & { readonly call: TableCall }

/**
 * A lookup join with a table of a connector. The table is opened when the subtask runs, not when its code is compiled,
 * which may be while another subtask still does its work; that it cannot be opened fails the subtask.
 */
export class TableLookupStage implements OperatorStage {
  readonly #calls: CallStage
  readonly #open: () => Promise<Table>
  #table: Promise<Table> | undefined

  constructor(verb: TableLookupVerb, context: OperatorContext) {
    const { connector, options, key, answer } = verb.call
    const schema = context.inputs[0]?.schema ?? { fields: [] }
    this.#open = () =>
      (this.#table ??= context.openTable({
        connector,
        options,
        operatorId: context.node.id,
        key: fieldsOf(
          schema,
          key.map(({ field }) => field),
        ).map((field, index) => ({ field, column: key[index]?.column ?? field.name })),
        output: answer,
      }))
    this.#calls = new CallStage(verb.call, this.#lookup(verb, context), context)
    context.after(0, async () => {
      await this.#open()
    })
  }

  async process(batch: Batch): Promise<void> {
    // the time limit of a call is not for opening
    await this.#open()
    await this.#calls.process(batch)
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#calls.onWatermark(time)
  }

  passedWatermark(): Timestamp {
    return this.#calls.passedWatermark()
  }

  drain(): Promise<void> {
    return this.#calls.drain()
  }

  async close(): Promise<void> {
    await this.#calls.close()
    // whoever waits for it was told why it did not open
    const table = await this.#table?.catch(() => undefined)
    await table?.close()
  }

  #lookup({ call, type, cache }: TableLookupVerb, { output, node, clock }: OperatorContext): AsyncCall {
    const make = compileRowMaker(output.schema, output.rowClass)
    const own = output.schema.fields.filter(({ name }) => !call.answer.some((field) => field.name === name))
    const kept = cache === undefined ? undefined : new AnswerCache<TableRow>(cache, clock, () => true)
    const find = async (values: readonly unknown[], signal: AbortSignal): Promise<TableRow | undefined> => {
      const table = await this.#open()
      const [found, second] = await table.find(values, signal)
      if (second !== undefined)
        throw ambiguous(
          `the table has several rows for ${shownKey(call, values)}`,
          `name all columns that tell its rows apart in key of ${node.id}`,
        )
      return found
    }
    return async (row: Row, { signal }) => {
      const values = call.key.map(({ field }) => row[field])
      // null is equal to nothing
      const found = values.includes(null)
        ? undefined
        : kept === undefined
          ? await find(values, signal)
          : await kept.get(JSON.stringify(values), () => find(values, signal))
      if (found === undefined && type === 'inner') throw noRow(`the table has no row for ${shownKey(call, values)}`)
      return make(
        Object.fromEntries([
          ...own.map(({ name }) => [name, row[name]]),
          ...call.answer.map(({ name }) => [name, memberOf(found ?? {}, name) ?? null]),
        ]),
      )
    }
  }
}

function shownKey({ key }: TableCall, values: readonly unknown[]): string {
  return key.map(({ column }, index) => `${column} ${JSON.stringify(values[index])}`).join(', ')
}
