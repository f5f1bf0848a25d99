import { RunningAggregates } from './running-aggregate/running-aggregates.ts'
import { RestoredTables } from '../state/restored-tables.ts'
import { compileRowClass } from '../codegen/rows/row.ts'
import { MillraceError } from '../model/errors.ts'
import { fieldsOf, type Field, type Row, type Schema } from '../model/schema.ts'
import { MAX_TIMESTAMP } from '../model/time.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import type { Clock } from '../ports/clock.ts'
import { isTableBlock } from '../state/state-block.ts'
import { tableEntries, type StateEntry, type TypedRow } from '../state/state-entries.ts'
import { readRules } from './broadcast/broadcast-stage.ts'
import { joinEntries } from './join/join-entries.ts'
import { patternEntries } from './pattern/pattern-entries.ts'
import { declaredName } from './process/process-context.ts'
import { UserFunctions } from './user-functions.ts'
import { WindowStage } from './window/window-stage.ts'

/**
 * The operator that wrote a state, and the schemas of its inputs; undefined when the job is not understood any
 * more.
 */
export type WrittenBy = { node: OperatorNode; inputs: readonly Schema[]; maxParallelism: number } | undefined

/**
 * The entries of one key group of an operator's state, from its blocks in the order in which a restore takes them.
 * Windows and aggregates come as the rows they would put out now. Throws STATE_UNREADABLE where that cannot be told
 * without running the job, and what a restore would throw.
 */
export async function stateEntries(
  by: WrittenBy,
  group: number,
  blocks: readonly Uint8Array[],
  clock: Clock,
): Promise<StateEntry[]> {
  if (blocks.every(isTableBlock)) return tableEntries(group, blocks).map((entry) => withMeanings(entry, by))
  if (by === undefined)
    throw unreadable('the operator that wrote it is not known: this version does not take the job of the savepoint')
  const { node, inputs } = by
  const [input, second] = inputs
  if (input === undefined) throw unreadable(`operator ${node.id} has no input`)
  const { verb } = node
  switch (verb.kind) {
    case 'window':
      if (verb.window.kind === 'count')
        throw unreadable('a window of so many rows keeps parts that mean nothing by themselves')
      return verb.window.kind === 'global'
        ? aggregateEntries(by, input, group, blocks)
        : windowEntries(by, input, group, blocks, clock)
    case 'aggregate':
      return aggregateEntries(by, input, group, blocks)
    case 'join':
      if (second === undefined) throw unreadable(`join ${node.id} has one input`)
      return joinEntries(verb, [input, second], blocks)
    case 'pattern':
      return patternEntries(verb, node, input, blocks)
    case 'broadcast': {
      if (second === undefined) throw unreadable(`broadcast ${node.id} has one input`)
      return blocks
        .flatMap((block) => readRules(second, block))
        .map((row) => ({
          table: 'rules',
          key: { fields: fieldsOf(second, verb.key), row },
          value: { fields: second.fields, row },
        }))
    }
    default:
      throw unreadable(`operator ${node.id} is a ${verb.kind} and keeps none`)
  }
}

/** Blocks say only what JavaScript makes of a value: that a number is a date, and a text bytes, the job says. */
function withMeanings(entry: StateEntry, by: WrittenBy): StateEntry {
  if (by === undefined) return entry
  const {
    node: { verb, schema },
    inputs,
  } = by
  const known = [...inputs, schema].flatMap(({ fields }) => fields)
  const declared = verb.kind === 'process' ? verb.state[declaredName(entry.table)] : undefined
  const meant = (typed: TypedRow | undefined, fields: readonly Field[]): TypedRow | undefined =>
    typed && {
      ...typed,
      fields: typed.fields.map(
        (field) =>
          fields.find(
            ({ name, type, nullable }) => name === field.name && type === field.type && nullable === field.nullable,
          ) ?? field,
      ),
    }
  const [key, member, value] = [
    meant(entry.key, known),
    meant(entry.member, declared?.kind === 'map' ? declared.userKey : known),
    meant(entry.value, declared?.schema.fields ?? known),
  ]
  return { ...entry, ...(key && { key }), ...(member && { member }), ...(value && { value }) }
}

/**
 * Every window that is open, with its result so far: what has fired already and waits for late rows is not among
 * them.
 */
async function windowEntries(
  by: NonNullable<WrittenBy>,
  input: Schema,
  group: number,
  blocks: readonly Uint8Array[],
  clock: Clock,
): Promise<StateEntry[]> {
  const { node, maxParallelism } = by
  const { verb } = node
  if (verb.kind !== 'window') return []
  refuseUserCode(verb.aggregates)
  const rows: Row[] = []
  const stage = new WindowStage(verb, {
    node,
    inputs: [{ schema: input, rowClass: compileRowClass(input) }],
    output: { schema: node.schema, rowClass: compileRowClass(node.schema) },
    next: {
      process: (made, count) => {
        rows.push(...made.slice(0, count))
        return Promise.resolve()
      },
      onWatermark: () => Promise.resolve(),
    },
    side: () => undefined,
    slot: 0,
    parallelism: 1,
    maxParallelism,
    clock,
    after: () => () => undefined,
    functions: new UserFunctions(new Map()),
    httpClient: { send: () => Promise.reject(unreadable('a window calls no service')) },
    stopping: new AbortController().signal,
    onBlocked: () => undefined,
    onError: (error) => {
      throw error
    },
    onLate: () => undefined,
  })
  for (const block of blocks) stage.state.restore(group, block)
  stage.state.restored?.()
  await stage.onWatermark(MAX_TIMESTAMP)
  await stage.close()
  return rows.map((row) => resultEntry('windows', node, row))
}

function aggregateEntries(
  { node, maxParallelism }: NonNullable<WrittenBy>,
  input: Schema,
  group: number,
  blocks: readonly Uint8Array[],
): StateEntry[] {
  const { verb } = node
  if (verb.kind !== 'aggregate' && verb.kind !== 'window') return []
  refuseUserCode(verb.aggregates)
  const ttlMs = verb.kind === 'aggregate' ? verb.ttlMs : undefined
  const table = new RunningAggregates({
    keys: fieldsOf(input, node.keyBy ?? []),
    aggregates: verb.aggregates,
    emission: { kind: verb.kind === 'aggregate' && verb.emit.kind === 'everyRow' ? 'everyRow' : 'changed' },
    inputSchema: input,
    outputRowClass: compileRowClass(node.schema),
    maxParallelism,
    operatorId: node.id,
    ...(ttlMs === undefined ? {} : { ttlMs }),
  })
  const restored = new RestoredTables(table)
  for (const block of blocks) restored.add(group, block)
  restored.finish()
  const entries: StateEntry[] = []
  table.takeAll(
    0,
    Infinity,
    (rows, count) => {
      for (const row of rows.slice(0, count)) entries.push(resultEntry('aggregates', node, row))
    },
    (error) => {
      throw error
    },
  )
  return entries
}

function resultEntry(table: string, { schema, keyBy = [] }: OperatorNode, row: Row): StateEntry {
  return {
    table,
    key: { fields: fieldsOf(schema, keyBy), row },
    value: { fields: schema.fields.filter(({ name }) => !keyBy.includes(name)), row },
  }
}

function refuseUserCode(aggregates: readonly { user?: unknown }[]): void {
  if (aggregates.some(({ user }) => user !== undefined))
    throw unreadable("only the job's own code knows what an aggregate of its own keeps")
}

function unreadable(why: string): MillraceError {
  return new MillraceError('STATE_UNREADABLE', `this state cannot be shown as rows: ${why}`, {
    domain: 'user',
    hint: 'millrace savepoint inspect says how large it is and whether its files are whole',
  })
}
