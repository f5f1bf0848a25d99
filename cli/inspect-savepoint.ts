import { openSavedState, type SavedState } from '../runtime/checkpoint/saved-state.ts'
import { checkedStateFile } from '../runtime/checkpoint/state-file.ts'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { describeWithCauses, MillraceError } from '../runtime/model/errors.ts'
import { memberOf } from '../runtime/model/fields.ts'
import type { Json } from '../runtime/model/snapshot.ts'
import type { OperatorNode } from '../runtime/graph/job-graph.ts'
import { planJob } from '../runtime/front/planned-job.ts'
import { openAnyStore } from '../runtime/builtin-stores.ts'

/** What `-o json` prints; its keys are stable. */
export interface SavepointContents {
  location: string
  job: string
  attempt: number
  id: number
  kind: 'checkpoint' | 'savepoint'
  completedAt: string
  maxParallelism: number
  revision: string
  sizeBytes: number
  operators: OperatorContents[]
  /** Files that are missing or damaged, one sentence each: a restore would fail. */
  problems: string[]
}

export interface OperatorContents {
  id: string
  /** The verb, when this version still takes the job's spec. */
  verb?: string
  /** Fields of what it puts out, `name: type` each. */
  schema?: string[]
  /** Subtasks that wrote something for it. */
  subtasks: number
  sizeBytes: number
  /** Key groups that hold something, as ranges: `0-3 7`. */
  keyGroups: string
  positions: { split: string; position: Json; finished: boolean }[]
  /** Outputs that were prepared with it and are committed again by a restore. */
  pendingCommits: number
}

/** `millrace savepoint inspect PATH`: exit code 0, or 1 when a file of it is missing or damaged. */
export async function inspectSavepoint(
  path: string,
  output: 'text' | 'json',
  out: (text: string) => void,
): Promise<0 | 1> {
  const contents = await contentsOf(await openSavedState(openAnyStore, path))
  out(output === 'json' ? `${JSON.stringify(contents, null, 2)}\n` : textOf(contents))
  return contents.problems.length === 0 ? 0 : 1
}

async function contentsOf(saved: SavedState): Promise<SavepointContents> {
  const { location, manifest } = saved
  const { job, attempt, id, kind, completedAt, maxParallelism, revision, sizeBytes } = manifest
  const nodes = nodesOf(manifest.spec)
  const ids = new Set(
    Object.values(manifest.subtasks).flatMap(({ splits, state, committables, sinkNotes = {} }) => [
      ...Object.keys(splits),
      ...Object.keys(state),
      ...Object.keys(committables),
      ...Object.keys(sinkNotes),
    ]),
  )
  return {
    location,
    job,
    attempt,
    id,
    kind,
    completedAt: new Date(completedAt).toISOString(),
    maxParallelism,
    revision,
    sizeBytes,
    operators: [...ids].sort().map((operator) => operatorContents(saved, operator, nodes.get(operator))),
    problems: await problemsOf(saved),
  }
}

function nodesOf(spec: unknown): Map<string, OperatorNode> {
  try {
    return new Map(
      planJob(spec, builtinConnectors, 'kept')
        .plan.chains.flatMap((chain) => chain.operators)
        .map((node) => [node.id, node]),
    )
  } catch (error) {
    // Written by a version with other rules: what is in it can be said all the same.
    if (error instanceof MillraceError && error.domain === 'user') return new Map()
    throw error
  }
}

function operatorContents({ manifest }: SavedState, id: string, node: OperatorNode | undefined): OperatorContents {
  const snapshots = Object.values(manifest.subtasks).filter(({ splits, state, committables, sinkNotes = {} }) =>
    [splits, state, committables, sinkNotes].some((by) => Object.hasOwn(by, id)),
  )
  const files = snapshots.flatMap(({ state }) => memberOf(state, id) ?? [])
  return {
    id,
    ...(node === undefined
      ? {}
      : {
          verb: node.verb.kind,
          schema: node.schema.fields.map(({ name, type, nullable }) => `${name}: ${type}${nullable ? '?' : ''}`),
        }),
    subtasks: snapshots.length,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    keyGroups: ranges(files.flatMap(({ groups }) => groups.map(([group]) => group))),
    positions: snapshots
      .flatMap(({ splits }) => memberOf(splits, id) ?? [])
      .map(({ id: split, position, finished }) => ({ split, position, finished })),
    pendingCommits: snapshots.reduce((sum, { committables }) => sum + (memberOf(committables, id)?.length ?? 0), 0),
  }
}

async function problemsOf({ store, manifest }: SavedState): Promise<string[]> {
  const problems: string[] = []
  for (const { state } of Object.values(manifest.subtasks)) {
    for (const file of Object.values(state).flat())
      await checkedStateFile(store, file).catch((error: unknown) => {
        problems.push(describeWithCauses(error))
      })
  }
  return problems
}

/** `[0, 1, 2, 7]` → `0-2 7` */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b)
  const starts = sorted.filter((number, index) => index === 0 || number !== (sorted[index - 1] ?? 0) + 1)
  return starts
    .map((start, index) => {
      const next = starts[index + 1]
      const end = sorted[next === undefined ? sorted.length - 1 : sorted.indexOf(next) - 1] ?? start
      return end === start ? `${start}` : `${start}-${end}`
    })
    .join(' ')
}

function textOf({
  location,
  job,
  attempt,
  id,
  kind,
  completedAt,
  maxParallelism,
  revision,
  sizeBytes,
  operators,
  problems,
}: SavepointContents): string {
  const lines = [
    `${kind} ${attempt}-${id} of job ${job}, revision ${revision}`,
    `  at        ${location}`,
    `  taken     ${completedAt}`,
    `  state     ${sizeBytes} bytes in ${maxParallelism} key groups (maxParallelism)`,
  ]
  for (const operator of operators) {
    lines.push(
      '',
      `${operator.id}${operator.verb === undefined ? '' : ` (${operator.verb})`}, ${operator.subtasks} subtask${operator.subtasks === 1 ? '' : 's'}`,
    )
    if (operator.schema !== undefined) lines.push(`  fields    ${operator.schema.join(', ')}`)
    if (operator.keyGroups !== '')
      lines.push(`  state     ${operator.sizeBytes} bytes, key groups ${operator.keyGroups}`)
    for (const { split, position, finished } of operator.positions)
      lines.push(`  position  ${split} at ${JSON.stringify(position)}${finished ? ', finished' : ''}`)
    if (operator.pendingCommits > 0)
      lines.push(`  commits   ${operator.pendingCommits} prepared, repeated by a restore`)
  }
  lines.push(
    '',
    ...(problems.length === 0
      ? ['every file is there and has its checksum']
      : problems.map((problem) => `damaged: ${problem}`)),
  )
  return `${lines.join('\n')}\n`
}
