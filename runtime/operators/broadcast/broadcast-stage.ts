import { type Batch, BATCH_ROWS, RowBatch } from '../../memory/batch.ts'
import { compileBroadcast, type BroadcastCode } from '../../codegen/broadcast-code.ts'
import { compileKeyCodec, type KeyCodec } from '../../codegen/keys/key-codec.ts'
import type { StateKey } from '../../memory/state-key.ts'
import { compileRowClass, type RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row, type Schema } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { BroadcastVerb } from '../../graph/verbs/broadcast.ts'
import { copiedState } from '../../state/copied-state.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'

/** What slot 0 writes, as JSON: the names and types of the rules' fields, and the rules. */
interface Stored {
  version: 1
  fields: string
  rules: readonly (readonly unknown[])[]
}

export function createBroadcastStage(verb: BroadcastVerb, context: OperatorContext): OperatorStage {
  return new BroadcastStage(verb, context)
}

/** Flink's broadcast state pattern (KeyedBroadcastProcessFunction) without code: every slot holds all rules. */
class BroadcastStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #code: BroadcastCode
  readonly #keys: KeyCodec
  readonly #rules: Rules
  readonly #out: Row[] = []

  constructor(verb: BroadcastVerb, context: OperatorContext) {
    const {
      node,
      inputs: [events, rules],
      output,
    } = context
    if (events === undefined || rules === undefined)
      throw new MillraceError('INPUT_MISSING', `broadcast ${node.id} lacks an input`)
    this.#context = context
    this.#code = compileBroadcast(verb, output.rowClass, node.id)
    this.#keys = compileKeyCodec(fieldsOf(rules.schema, verb.key))
    this.#rules = new Rules(rules.schema, rules.rowClass)
    this.state = {
      scope: 'broadcast',
      size: () => this.#rules.byKey.size,
      // whoever writes conditions one by one has few of them
      freeze: () => copiedState(context.slot === 0 ? [[0, this.#rules.write()]] : []),
      restore: (_, bytes) => {
        for (const row of this.#rules.read(bytes)) this.#rules.put(this.#keys.of(row), row)
      },
    }
  }

  async process(batch: Batch, input: number): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    if (input === 1) {
      this.#take(rows, count)
      return
    }
    for (let at = 0; at < count; ) {
      at = this.#code.match(rows, at, count, this.#rules.list(), this.#out, this.#context.onError)
      const out = this.#out.splice(0)
      for (let first = 0; first < out.length; first += BATCH_ROWS) {
        const some = out.slice(first, first + BATCH_ROWS)
        await this.#context.next.process(new RowBatch(some), 0)
      }
    }
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#context.next.onWatermark(time)
  }

  #take(rows: readonly Row[], count: number): void {
    for (const row of rows.slice(0, count)) {
      try {
        const key = this.#keys.of(row)
        if (this.#code.removes(row)) this.#rules.remove(key)
        else this.#rules.put(key, row)
      } catch (error) {
        this.#context.onError(error, row, this.#context.node.id)
      }
    }
  }
}

/** The rules of a block, in the order in which their keys came. Throws STATE_CORRUPT or STATE_INCOMPATIBLE. */
export function readRules(schema: Schema, block: Uint8Array): Row[] {
  return new Rules(schema, compileRowClass(schema)).read(block)
}

class Rules {
  readonly byKey = new Map<StateKey, Row>()
  readonly #schema: Schema
  readonly #rowClass: RowClass
  #list: readonly Row[] | undefined

  constructor(schema: Schema, rowClass: RowClass) {
    this.#schema = schema
    this.#rowClass = rowClass
  }

  /** In the order in which their keys first came. */
  list(): readonly Row[] {
    return (this.#list ??= [...this.byKey.values()])
  }

  put(key: StateKey, row: Row): void {
    // a copy: the strings of a row would keep all of its batch's text alive
    this.byKey.set(owned(key), this.#rowOf(this.#schema.fields.map(({ name }) => owned(row[name]))))
    this.#list = undefined
  }

  remove(key: StateKey): void {
    if (this.byKey.delete(key)) this.#list = undefined
  }

  #rowOf(values: readonly unknown[]): Row {
    return new this.#rowClass(...values)
  }

  #fields(): string {
    return this.#schema.fields.map(({ name, type, nullable }) => `${name}: ${type}${nullable ? '?' : ''}`).join(', ')
  }

  write(): Uint8Array {
    const stored: Stored = {
      version: 1,
      fields: this.#fields(),
      rules: this.list().map((row) => this.#schema.fields.map(({ name }) => row[name])),
    }
    return Buffer.from(JSON.stringify(stored), 'utf8')
  }

  read(bytes: Uint8Array): Row[] {
    const stored = parseStored(bytes)
    if (stored.fields !== this.#fields()) {
      throw new MillraceError(
        'STATE_INCOMPATIBLE',
        `the rules of a broadcast were written as {${stored.fields}}, they are {${this.#fields()}} now`,
        { domain: 'user', hint: 'give the changed broadcast a new id to start it without rules' },
      )
    }
    return stored.rules.map((values) => this.#rowOf(values))
  }
}

function parseStored(bytes: Uint8Array): Stored {
  let stored: Stored
  try {
    stored = JSON.parse(Buffer.from(bytes).toString('utf8')) as Stored
  } catch (cause) {
    throw new MillraceError('STATE_CORRUPT', 'the state of a broadcast does not parse', { cause })
  }
  if (stored.version !== 1)
    throw new MillraceError(
      'STATE_INCOMPATIBLE',
      `the state of a broadcast has version ${String(stored.version)}, this release reads 1`,
    )
  return stored
}

/** A string that holds no other alive. */
function owned<T>(value: T): T {
  return typeof value === 'string' ? (JSON.parse(JSON.stringify(value)) as T) : value
}
