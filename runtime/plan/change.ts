import { freeFieldsOf, stateFieldsOf, verbOf } from '../graph/verbs/entry.ts'
import { isFields, type Fields } from '../graph/problems.ts'
import {
  DEFAULT_MAX_PARALLELISM,
  operatorOfInput,
  outputOfInput,
  type JobGraph,
  type OperatorNode,
} from '../graph/job-graph.ts'
import { fieldsKept } from '../graph/verbs/join/join.ts'
import type { ProcessVerb } from '../graph/verbs/process.ts'
import { fieldsOf, type Field, type Schema } from '../model/schema.ts'

/**
 * What an edit asks for. none: nothing that runs is touched. rescale: parallelism only, in place. graph: a new
 * plan, through a savepoint. incompatible: the state of the running job has no place in the new one.
 */
export type ChangeClass = 'none' | 'rescale' | 'graph' | 'incompatible'

export interface Change {
  class: ChangeClass
  /** What changed, one sentence each; empty for none. */
  reasons: readonly string[]
}

type Finding = { class: Exclude<ChangeClass, 'none'>; reason: string }

/**
 * Compares two specs that validateJob passed; pure. Looks at what is computed, not at image or pods: those are the
 * operator's to compare. The gravest finding gives the class. The order of the operators and the ways to write the
 * same thing (`from: a`, `from: [a]`) do not matter; the order of fields and aggregates does, as it is the order
 * of columns in rows and state.
 */
export function changeClass(runningSpec: unknown, wantedSpec: unknown): Change {
  const running = isFields(runningSpec) ? runningSpec : {}
  const wanted = isFields(wantedSpec) ? wantedSpec : {}
  return changeOf([...settingsFindings(running, wanted), ...graphFindings(running, wanted)])
}

/** Why state that was kept under one spec has no place in another, one sentence each; empty when it has. Pure. */
export function incompatibilities(keptSpec: unknown, wantedSpec: unknown): readonly string[] {
  const [kept, wanted] = [keptSpec, wantedSpec].map((spec) => (isFields(spec) ? spec : {})) as [Fields, Fields]
  return [...settingsFindings(kept, wanted), ...graphFindings(kept, wanted)]
    .filter((finding) => finding.class === 'incompatible')
    .map((finding) => finding.reason)
}

/**
 * Changes of types that the specs alone do not show: a key or an aggregate whose type changed because something
 * upstream did. To be asked in addition where both graphs are at hand.
 */
export function stateChange(running: Pick<JobGraph, 'operators'>, wanted: Pick<JobGraph, 'operators'>): Change {
  const wantedById = new Map(wanted.operators.map((operator) => [operator.id, operator]))
  return changeOf(
    running.operators.flatMap((before): Finding[] => {
      const after = wantedById.get(before.id)
      if (after === undefined || after.verb.kind !== before.verb.kind) return []
      const [kept, now] = [stateShape(before, running), stateShape(after, wanted)]
      const shape: Finding[] =
        kept === now
          ? []
          : [{ class: 'incompatible', reason: `"${before.id}" keeps state as ${kept}, it would become ${now}` }]
      return before.verb.kind === 'process' && after.verb.kind === 'process'
        ? [...shape, ...tableFindings(before.id, before.verb.state, after.verb.state)]
        : shape
    }),
  )
}

function changeOf(findings: readonly Finding[]): Change {
  const gravest = (['incompatible', 'graph', 'rescale'] as const).find((level) =>
    findings.some((finding) => finding.class === level),
  )
  return { class: gravest ?? 'none', reasons: findings.map((finding) => finding.reason) }
}

/** Tables of a process: new ones begin empty, others must stay as they were. */
function tableFindings(id: string, before: ProcessVerb['state'], after: ProcessVerb['state']): Finding[] {
  return Object.entries(before).flatMap(([name, declared]): Finding[] => {
    const now = after[name]
    const [old, wanted] = [tableShape(declared), now === undefined ? 'nothing' : tableShape(now)]
    return old === wanted
      ? []
      : [{ class: 'incompatible', reason: `"${id}" keeps "${name}" as ${old}, it would become ${wanted}` }]
  })
}

function tableShape(declared: ProcessVerb['state'][string]): string {
  const fields = [...(declared.kind === 'map' ? declared.userKey : []), ...declared.schema.fields]
  return `${declared.kind} of ${fields.map((field) => `${field.name}: ${field.type}${field.nullable ? '?' : ''}`).join(', ')}`
}

function stateShape(operator: OperatorNode, graph: Pick<JobGraph, 'operators'>): string {
  return keptFields(operator, graph)
    .map((field) => `${field.name}: ${field.type}${field.nullable ? '?' : ''}`)
    .join(', ')
}

/** The fields whose types state is made of; none of operators without state. */
function keptFields(
  { verb, keyBy = [], schema, from }: OperatorNode,
  graph: Pick<JobGraph, 'operators'>,
): readonly Field[] {
  const inputFields = (input: number): readonly Field[] => schemaOfInput(from[input] ?? '', graph)?.fields ?? []
  switch (verb.kind) {
    case 'dedupe':
      return fieldsOf(schema, [...keyBy, ...(verb.keep.which === 'last' ? [verb.keep.orderBy] : [])])
    case 'topN':
      return verb.rank === undefined ? fieldsOf(schema, [...keyBy, verb.by]) : schema.fields
    case 'window':
    case 'aggregate':
    case 'reduce':
      return schema.fields
    case 'pattern':
      return inputFields(0)
    case 'process':
      return inputFields(0).filter(({ name }) => keyBy.includes(name))
    case 'broadcast':
      return inputFields(1)
    case 'join':
      return (['left', 'right'] as const).flatMap((side, input) =>
        inputFields(input).filter(({ name }) => fieldsKept(verb, side).has(name)),
      )
    default:
      return []
  }
}

function schemaOfInput(input: string, { operators }: Pick<JobGraph, 'operators'>): Schema | undefined {
  const node = operators.find(({ id }) => id === operatorOfInput(input))
  const output = outputOfInput(input)
  return output === undefined ? node?.schema : node?.sideOutputs?.[output]
}

function settingsFindings(running: Fields, wanted: Fields): Finding[] {
  const findings: Finding[] = []
  const replicas = [running['replicas'] ?? 1, wanted['replicas'] ?? 1]
  if (replicas[0] !== replicas[1])
    findings.push({ class: 'rescale', reason: `replicas ${text(replicas[0])} → ${text(replicas[1])}` })
  const most = [
    running['maxParallelism'] ?? DEFAULT_MAX_PARALLELISM,
    wanted['maxParallelism'] ?? DEFAULT_MAX_PARALLELISM,
  ]
  if (most[0] !== most[1])
    findings.push({
      class: 'incompatible',
      reason: `maxParallelism ${text(most[0])} → ${text(most[1])}: state is divided into that many key groups`,
    })
  if (text(running['modules'] ?? {}) !== text(wanted['modules'] ?? {}))
    findings.push({ class: 'graph', reason: 'modules changed' })
  if (text(running['state'] ?? {}) !== text(wanted['state'] ?? {}))
    findings.push({ class: 'graph', reason: 'state changed' })
  if (text(running['checkpoints'] ?? {}) !== text(wanted['checkpoints'] ?? {}))
    findings.push({ class: 'graph', reason: 'checkpoints changed' })
  return findings
}

function graphFindings(running: Fields, wanted: Fields): Finding[] {
  const before = entriesOf(running['graph'])
  const after = entriesOf(wanted['graph'])
  const findings: Finding[] = []
  for (const [id, entry] of before) {
    const other = after.get(id)
    if (other === undefined) findings.push(removed(id, entry))
    else findings.push(...entryFindings(id, entry, other))
  }
  for (const id of after.keys()) {
    if (!before.has(id)) findings.push({ class: 'graph', reason: `"${id}" is new` })
  }
  return findings
}

function removed(id: string, entry: Fields): Finding {
  // the coordinator refuses the same: STATE_WOULD_BE_LOST
  if (stateFields(entry) !== undefined) return { class: 'incompatible', reason: `"${id}" keeps state and is gone` }
  if ('source' in entry) return { class: 'incompatible', reason: `"${id}" keeps how far it has read and is gone` }
  return { class: 'graph', reason: `"${id}" is gone` }
}

function entryFindings(id: string, before: Fields, after: Fields): Finding[] {
  const findings: Finding[] = []
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[name], after[name]].map((value) => normal(name, value))
    if (old === now) continue
    if (name === 'replicas')
      findings.push({ class: 'rescale', reason: `"${id}": replicas ${old ?? 'as the job'} → ${now ?? 'as the job'}` })
    else if (stateFields(before)?.includes(name) === true && !onlyFree(before, before[name], after[name]))
      findings.push({
        class: 'incompatible',
        reason: `"${id}": ${name} changed, and its state was kept by the old one`,
      })
    else findings.push({ class: 'graph', reason: `"${id}": ${name} changed` })
  }
  return findings
}

/** True when two values of a field that state is made of differ in nothing that state is made of. */
function onlyFree(entry: Fields, old: unknown, now: unknown): boolean {
  const verb = verbOf(entry)
  const free = verb === undefined ? [] : freeFieldsOf(verb)
  if (free.length === 0 || !isFields(old) || !isFields(now)) return false
  const without = (fields: Fields, within: string): Fields =>
    Object.fromEntries(Object.entries(fields).filter(([name]) => !free.includes(within + name)))
  const bound = (fields: Fields): string =>
    text(
      Object.fromEntries(
        Object.entries(without(fields, '')).map(([name, value]) => [
          name,
          Array.isArray(value)
            ? value.map((item: unknown) => (isFields(item) ? without(item, `${name}.`) : item))
            : value,
        ]),
      ),
    )
  return bound(old) === bound(now)
}

function stateFields(entry: Fields): readonly string[] | undefined {
  const verb = verbOf(entry)
  // without a key a function has no state, and of a table that a service holds there is none here
  if (verb === 'process' && entry['keyBy'] === undefined) return undefined
  if (verb === 'join' && isFields(entry['join']) && entry['join']['lookup'] !== undefined) return undefined
  return verb === undefined ? undefined : stateFieldsOf(verb)
}

/** Fields for which `a` and `[a]` are the same. */
const LIST_FIELDS: readonly string[] = ['from', 'keyBy']
/** Fields whose mappings have an order that counts. */
const ORDERED_FIELDS: readonly string[] = ['schema', 'map', 'set', 'aggregate']

function normal(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (LIST_FIELDS.includes(name) && !Array.isArray(value)) return text([value])
  return ORDERED_FIELDS.includes(name) ? JSON.stringify(value) : text(value)
}

/** JSON with sorted keys: equal for equal values. */
function text(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isFields(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  )
}

function entriesOf(graph: unknown): Map<string, Fields> {
  const list: unknown[] = Array.isArray(graph) ? graph : []
  return new Map(list.filter(isFields).map((entry) => [String(entry['id']), entry]))
}
