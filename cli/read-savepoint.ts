import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { openSavedState, type SavedState } from '../runtime/checkpoint/saved-state.ts'
import { checkedStateFile } from '../runtime/checkpoint/state-file.ts'
import { compileKeyGrouper } from '../runtime/codegen/keys/key-grouper.ts'
import { compileJsonWriter } from '../runtime/codegen/json/json-writer.ts'
import type { RowWriter } from '../runtime/codegen/contracts.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { memberOf } from '../runtime/model/fields.ts'
import type { Field, Row, Schema } from '../runtime/model/schema.ts'
import type { StateFile } from '../runtime/model/snapshot.ts'
import { declaredName } from '../runtime/operators/process/process-context.ts'
import { stateEntries, type WrittenBy } from '../runtime/operators/state-reader.ts'
import { operatorOfInput, outputOfInput, type JobGraph } from '../runtime/graph/job-graph.ts'
import { validateJob } from '../runtime/front/job-spec.ts'
import { realClock } from '../runtime/ports/real/clock.ts'
import { openAnyStore } from '../runtime/builtin-stores.ts'
import type { StateEntry, TypedRow } from '../runtime/state/state-entries.ts'

/** What to show of a savepoint. */
export interface ReadWish {
  path: string
  /** May be left out when one operator alone keeps state. */
  operator: string | undefined
  table: string | undefined
  /** `name=value`, several with commas: entries whose key has these values. */
  key: string | undefined
  limit: number
  output: 'text' | 'json'
}

/** What `-o json` prints of an entry, one line each; its keys are stable. */
export interface PrintedEntry {
  table: string
  keyGroup: number
  key?: Readonly<Record<string, unknown>>
  member?: Readonly<Record<string, unknown>>
  value?: Readonly<Record<string, unknown>>
  time?: string | number
  note?: string
}

/** `millrace savepoint read PATH`: the entries of an operator's state in the order of key groups, group after group. */
export async function readSavepoint(wish: ReadWish, out: (text: string) => void): Promise<0> {
  const saved = await openSavedState(openAnyStore, wish.path)
  const operator = operatorOf(saved, wish.operator)
  const files = Object.keys(saved.manifest.subtasks)
    .sort()
    .flatMap((subtask) => memberOf(saved.manifest.subtasks[subtask]?.state ?? {}, operator) ?? [])
  const by = writtenBy(saved, operator)
  const wanted = keyFilter(wish.key)
  const keys = by?.node.keyBy ?? []
  const stray = [...wanted.keys()].find((name) => keys.length > 0 && !keys.includes(name))
  if (stray !== undefined)
    throw new MillraceError('USAGE', `"${stray}" is not a key of ${operator}`, {
      domain: 'user',
      hint: `--key ${keys.map((name) => `${name}=…`).join(',')}`,
    })
  const print = new EntryPrinter()
  const open = new OpenFiles(saved, files)
  const tables = new Set<string>()
  let left = wish.limit
  for (const group of groupsOf(files, groupOfKey(by, wanted))) {
    for (const entry of await stateEntries(by, group, await open.blocksOf(group), realClock)) {
      if (left === 0) return 0
      tables.add(declaredName(entry.table))
      if (wish.table !== undefined && declaredName(entry.table) !== wish.table) continue
      const printed = print.entry(group, entry)
      if (!matches(printed.key, wanted)) continue
      out(wish.output === 'json' ? `${JSON.stringify(printed)}\n` : textOf(printed))
      left -= 1
    }
  }
  if (wish.table !== undefined && wish.key === undefined && !tables.has(wish.table)) {
    throw new MillraceError('USAGE', `no table "${wish.table}" of ${operator} holds anything`, {
      domain: 'user',
      hint: tables.size === 0 ? 'its state is empty' : `--table ${[...tables].sort().join(' or ')}`,
    })
  }
  return 0
}

function operatorOf({ manifest, location }: SavedState, asked: string | undefined): string {
  const kept = [...new Set(Object.values(manifest.subtasks).flatMap(({ state }) => Object.keys(state)))].sort()
  const [only, second] = kept
  if (asked !== undefined && kept.includes(asked)) return asked
  if (asked === undefined && only !== undefined && second === undefined) return only
  const what =
    asked === undefined
      ? `${kept.length} operators keep state in ${location}`
      : `no operator "${asked}" keeps state in ${location}`
  throw new MillraceError('OPERATOR_UNKNOWN', what, {
    domain: 'user',
    hint: kept.length === 0 ? 'it holds none at all' : `--operator ${kept.join(' or ')}`,
  })
}

/** Undefined when this version does not take the spec: tables say themselves what they hold. */
function writtenBy({ manifest }: SavedState, operator: string): WrittenBy {
  const validation = validateJob(manifest.spec, builtinConnectors, 'kept')
  if (!('graph' in validation)) return undefined
  const node = validation.graph.operators.find(({ id }) => id === operator)
  return node === undefined
    ? undefined
    : {
        node,
        inputs: node.from.map((input) => schemaOf(validation.graph, input)),
        maxParallelism: manifest.maxParallelism,
      }
}

function schemaOf({ operators }: JobGraph, input: string): Schema {
  const node = operators.find(({ id }) => id === operatorOfInput(input))
  const output = outputOfInput(input)
  const schema = output === undefined ? node?.schema : memberOf(node?.sideOutputs ?? {}, output)
  if (schema === undefined) throw new MillraceError('UNKNOWN_INPUT', `the job of the savepoint has no ${input}`)
  return schema
}

function groupsOf(files: readonly StateFile[], only: number | undefined): number[] {
  const groups = [...new Set(files.flatMap((file) => file.groups.map(([group]) => group)))].sort((a, b) => a - b)
  return only === undefined ? groups : groups.filter((group) => group === only)
}

/** Files by key group: each is read and checked once, and let go when its last group has been asked for. */
class OpenFiles {
  readonly #saved: SavedState
  readonly #files: readonly StateFile[]
  readonly #open = new Map<StateFile, Uint8Array>()

  constructor(saved: SavedState, files: readonly StateFile[]) {
    this.#saved = saved
    this.#files = files
  }

  /** The blocks of a group in the order in which they are to be restored. Groups are asked for in their order. */
  async blocksOf(group: number): Promise<Uint8Array[]> {
    const blocks: Uint8Array[] = []
    for (const file of this.#files) {
      if (file.groups.every(([held]) => held < group)) this.#open.delete(file)
      if (!file.groups.some(([held]) => held === group)) continue
      const bytes = this.#open.get(file) ?? (await checkedStateFile(this.#saved.store, file))
      this.#open.set(file, bytes)
      for (const [held, offset, length] of file.groups)
        if (held === group) blocks.push(bytes.subarray(offset, offset + length))
    }
    return blocks
  }
}

function keyFilter(text: string | undefined): ReadonlyMap<string, string> {
  const pairs =
    text === undefined
      ? []
      : text
          .split(',')
          .map((pair) => [pair.slice(0, pair.indexOf('=')).trim(), pair.slice(pair.indexOf('=') + 1).trim()] as const)
  if (text?.split(',').every((pair) => pair.includes('=')) === false) {
    throw new MillraceError('USAGE', `--key ${JSON.stringify(text)} names no value`, {
      domain: 'user',
      hint: '--key auction=5, or several: --key auction=5,channel=web',
    })
  }
  return new Map(pairs)
}

/**
 * The one group a whole key can be in; undefined when only a part of the key is given, or its text alone does not
 * tell.
 */
function groupOfKey(by: WrittenBy, wanted: ReadonlyMap<string, string>): number | undefined {
  const fields = by?.node.keyBy?.map((name) => by.inputs[0]?.fields.find((field) => field.name === name)) ?? []
  if (
    by === undefined ||
    fields.length === 0 ||
    !fields.every((field): field is Field => field !== undefined && wanted.has(field.name) && isPlain(field))
  )
    return undefined
  const row = Object.fromEntries(
    fields.map((field) => [
      field.name,
      field.type === 'string' ? wanted.get(field.name) : Number(wanted.get(field.name)),
    ]),
  )
  const groups = new Uint16Array(1)
  compileKeyGrouper(fields, by.maxParallelism)([row as Row], 1, groups)
  return groups[0]
}

function isPlain({ type, nullable, logical }: Field): boolean {
  return !nullable && logical === undefined && (type === 'string' || type === 'long')
}

function matches(key: PrintedEntry['key'], wanted: ReadonlyMap<string, string>): boolean {
  return [...wanted].every(([name, value]) => key !== undefined && String(memberOf(key, name)) === value)
}

/** Rows as JSON sinks print them. */
class EntryPrinter {
  readonly #writers = new Map<string, RowWriter>()
  #buffer = Buffer.alloc(4096)

  entry(keyGroup: number, { table, key, member, value, time, note }: StateEntry): PrintedEntry {
    return {
      table: declaredName(table),
      keyGroup,
      ...(key === undefined ? {} : { key: this.#json(key) }),
      ...(member === undefined ? {} : { member: this.#json(member) }),
      ...(value === undefined ? {} : { value: this.#json(value) }),
      ...(time === undefined ? {} : { time: timeText(time) }),
      ...(note === undefined ? {} : { note }),
    }
  }

  #json({ fields, row }: TypedRow): Readonly<Record<string, unknown>> {
    const shape = JSON.stringify(fields)
    const writer = this.#writers.get(shape) ?? compileJsonWriter({ fields }, { timestampFormat: 'iso' })
    this.#writers.set(shape, writer)
    let bytes = writer.encodeInto(row, this.#buffer, 0)
    while (bytes < 0) {
      this.#buffer = Buffer.alloc(this.#buffer.length * 2)
      bytes = writer.encodeInto(row, this.#buffer, 0)
    }
    return JSON.parse(this.#buffer.toString('utf8', 0, bytes)) as Readonly<Record<string, unknown>>
  }
}

/** A time beyond what a date can be stays a number. */
function timeText(time: number): string | number {
  return Math.abs(time) <= 8.64e15 ? new Date(time).toISOString() : time
}

function textOf({ table, keyGroup, key, member, value, time, note }: PrintedEntry): string {
  const fields = (row: PrintedEntry['key']): string =>
    Object.entries(row ?? {})
      .map(([name, held]) => `${name}=${typeof held === 'string' ? held : JSON.stringify(held)}`)
      .join(' ')
  const rest =
    value === undefined
      ? undefined
      : Object.fromEntries(Object.entries(value).filter(([name]) => key === undefined || !Object.hasOwn(key, name)))
  const parts = [
    table,
    `group ${keyGroup}`,
    fields(key),
    ...(member === undefined ? [] : [`[${fields(member)}]`]),
    ...(rest === undefined ? [] : [fields(rest)]),
    ...(time === undefined ? [] : [`at ${time}`]),
    note,
  ]
  return `${parts.filter((part) => part !== undefined && part !== '').join('  ')}\n`
}
