import { memberOf } from '../model/fields.ts'
import { canonicalJson } from '../model/canonical-json.ts'
import type { Schema } from '../model/schema.ts'
import { operatorOfInput, outputOfInput, type JobGraph, type OperatorNode } from '../graph/job-graph.ts'
import { definitionOf } from '../graph/verbs/all.ts'
import { shapeText } from '../graph/verbs/kit/descriptions.ts'
import type { Kept, StateShape } from '../graph/verbs/verb.ts'

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
 * Compares two graphs; pure. Looks at what is computed, not at image or pods: those are the operator's to compare.
 * The gravest finding gives the class. The order of the operators does not matter; the order of fields and
 * aggregates does, as it is the order of columns in rows and state.
 */
export function changeOf(running: JobGraph, wanted: JobGraph): Change {
  const findings = [...settingsFindings(running, wanted), ...graphFindings(running, wanted)]
  const gravest = (['incompatible', 'graph', 'rescale'] as const).find((level) =>
    findings.some((finding) => finding.class === level),
  )
  return { class: gravest ?? 'none', reasons: findings.map((finding) => finding.reason) }
}

/** Why state that was kept under one graph has no place in another, one sentence each; empty when it has. Pure. */
export function incompatibilities(kept: JobGraph, wanted: JobGraph): readonly string[] {
  return [...settingsFindings(kept, wanted), ...graphFindings(kept, wanted)]
    .filter((finding) => finding.class === 'incompatible')
    .map((finding) => finding.reason)
}

function settingsFindings(running: JobGraph, wanted: JobGraph): Finding[] {
  const findings: Finding[] = []
  if (running.parallelism !== wanted.parallelism)
    findings.push({ class: 'rescale', reason: `replicas ${running.parallelism} → ${wanted.parallelism}` })
  if (running.maxParallelism !== wanted.maxParallelism)
    findings.push({
      class: 'incompatible',
      reason: `maxParallelism ${running.maxParallelism} → ${wanted.maxParallelism}: state is divided into that many key groups`,
    })
  for (const name of ['modules', 'state', 'checkpoints', 'maxBadShare'] as const) {
    if (canonicalJson(running[name] ?? {}) !== canonicalJson(wanted[name] ?? {}))
      findings.push({ class: 'graph', reason: `${name} changed` })
  }
  return findings
}

function graphFindings(running: JobGraph, wanted: JobGraph): Finding[] {
  const before = new Map(running.operators.map((node) => [node.id, node]))
  const after = new Map(wanted.operators.map((node) => [node.id, node]))
  const findings: Finding[] = []
  for (const [id, node] of before) {
    const other = after.get(id)
    if (other === undefined) findings.push(removed(node, running))
    else findings.push(...nodeFindings({ node, graph: running }, { node: other, graph: wanted }))
  }
  for (const id of after.keys()) {
    if (!before.has(id)) findings.push({ class: 'graph', reason: `"${id}" is new` })
  }
  return findings
}

/** The coordinator refuses the same: STATE_WOULD_BE_LOST. */
function removed(node: OperatorNode, graph: JobGraph): Finding {
  const kept = keptBy(node, graph)
  if (kept === 'nothing') return { class: 'graph', reason: `"${node.id}" is gone` }
  const what = kept === 'position' ? 'how far it has read' : 'state'
  return { class: 'incompatible', reason: `"${node.id}" keeps ${what} and is gone` }
}

/** An operator and the graph in which it stands. */
interface Placed {
  readonly node: OperatorNode
  readonly graph: JobGraph
}

function nodeFindings(before: Placed, after: Placed): Finding[] {
  const { id } = before.node
  const findings: Finding[] = []
  if (before.node.from.join() !== after.node.from.join())
    findings.push({ class: 'graph', reason: `"${id}": from changed` })
  if (canonicalJson(before.node.onError ?? null) !== canonicalJson(after.node.onError ?? null))
    findings.push({ class: 'graph', reason: `"${id}": onError changed` })
  const [old, now] = [before.node.parallelism, after.node.parallelism]
  if (old !== now)
    findings.push({ class: 'rescale', reason: `"${id}": replicas ${old ?? 'as the job'} → ${now ?? 'as the job'}` })
  return before.node.verb.kind === after.node.verb.kind
    ? [...findings, ...verbFindings(before, after)]
    : [...findings, replaced(before, after)]
}

function replaced(before: Placed, after: Placed): Finding {
  const [old, now] = [definitionOf(before.node).word, definitionOf(after.node).word]
  const { id } = before.node
  return {
    class: keptBy(before.node, before.graph) === 'nothing' ? 'graph' : 'incompatible',
    reason: old === now ? `"${id}": ${old} changed` : `"${id}" was ${old}, it would become ${now}`,
  }
}

function verbFindings(before: Placed, after: Placed): Finding[] {
  const kept = keptBy(before.node, before.graph)
  const bound = aspectFindings(before.node, after.node, kept)
  // Where the user changed what state is kept by, its shape has changed as a consequence.
  return bound.some((finding) => finding.class === 'incompatible')
    ? bound
    : [...bound, ...shapeFindings(before.node.id, kept, keptBy(after.node, after.graph))]
}

function aspectFindings(before: OperatorNode, after: OperatorNode, kept: Kept): Finding[] {
  const now = definitionOf(after).aspects(after)
  const changed = definitionOf(before)
    .aspects(before)
    .filter(({ text }, index) => now[index]?.text !== text)
  return [...new Set(changed.map(({ name }) => name))].map((name): Finding => {
    const bindsState = kept !== 'nothing' && changed.some((one) => one.name === name && one.bindsState)
    return bindsState
      ? { class: 'incompatible', reason: `"${before.id}": ${name} changed, and its state was kept by the old one` }
      : { class: 'graph', reason: `"${before.id}": ${name} changed` }
  })
}

/** Changes of types that an operator shows only in its state: something upstream changed. */
function shapeFindings(id: string, before: Kept, after: Kept): Finding[] {
  if (!isShape(before) || !isShape(after)) return []
  const [old, now] = [shapeText(before.fields), shapeText(after.fields)]
  const shape: Finding[] =
    old === now ? [] : [{ class: 'incompatible', reason: `"${id}" keeps state as ${old}, it would become ${now}` }]
  return [...shape, ...tableFindings(id, before.tables, after.tables)]
}

/** New tables begin empty, the others must stay as they were. */
function tableFindings(id: string, before: StateShape['tables'], after: StateShape['tables']): Finding[] {
  return Object.entries(before).flatMap(([name, old]): Finding[] => {
    const now = memberOf(after, name) ?? 'nothing'
    return old === now
      ? []
      : [{ class: 'incompatible', reason: `"${id}" keeps "${name}" as ${old}, it would become ${now}` }]
  })
}

function isShape(kept: Kept): kept is StateShape {
  return typeof kept === 'object'
}

function keptBy(node: OperatorNode, graph: JobGraph): Kept {
  return definitionOf(node).keeps(
    node,
    node.from.map((input) => schemaOfInput(input, graph)),
  )
}

function schemaOfInput(input: string, { operators }: JobGraph): Schema | undefined {
  const node = operators.find(({ id }) => id === operatorOfInput(input))
  const output = outputOfInput(input)
  return output === undefined ? node?.schema : memberOf(node?.sideOutputs ?? {}, output)
}
