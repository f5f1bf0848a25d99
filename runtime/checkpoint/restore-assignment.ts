import type { Committable, SinkNote, Split, StateFile, SubtaskRestore } from '../model/snapshot.ts'
import { memberOf } from '../model/fields.ts'
import { subtaskId, type SubtaskId } from '../model/ids.ts'
import type { Chain, ExecutionPlan } from '../plan/execution-plan.ts'
import { keyGroupsOfSlot } from '../plan/key-groups.ts'
import type { Manifest } from './manifest.ts'

/**
 * Distributes what an attempt starts from over its subtasks. Splits go round robin in their order. A state file goes to
 * every subtask whose key groups it holds, that of a broadcast to all. Committables go round robin, since any writer of
 * the sink can commit them. Pure; from any parallelism to any other. `splits` are those of the enumerators, with the
 * positions of the checkpoint already in them. Notes of sinks go round robin, too.
 */
export function assignRestore(
  plan: ExecutionPlan,
  manifest: Manifest | undefined,
  splits: Readonly<Record<string, readonly Split[]>>,
): Record<SubtaskId, SubtaskRestore> {
  const restores: Record<SubtaskId, SubtaskRestore> = {}
  for (const chain of plan.chains) {
    for (let slot = 0; slot < chain.parallelism; slot++) {
      restores[subtaskId(chain.id, slot)] = {
        splits: byOperator(chain, (operator) =>
          memberOf(splits, operator)?.filter((_, index) => index % chain.parallelism === slot),
        ),
        state: byOperator(chain, (operator) => stateOf(manifest, operator, chain, slot, plan.maxParallelism)),
        committables: byOperator(chain, (operator) =>
          committablesOf(manifest, operator).filter((_, index) => index % chain.parallelism === slot),
        ),
        sinkNotes: byOperator(chain, (operator) =>
          sinkNotesOf(manifest, operator).filter((_, index) => index % chain.parallelism === slot),
        ),
      }
    }
  }
  return restores
}

function byOperator<T>(
  chain: Chain,
  pick: (operator: string) => readonly T[] | undefined,
): Record<string, readonly T[]> {
  const picked: Record<string, readonly T[]> = {}
  for (const operator of chain.operators) {
    const items = pick(operator.id)
    if (items && items.length > 0) picked[operator.id] = items
  }
  return picked
}

function stateOf(
  manifest: Manifest | undefined,
  operator: string,
  chain: Chain,
  slot: number,
  maxParallelism: number,
): StateFile[] {
  // state that every slot has is kept once, as group 0
  const isBroadcast = chain.operators.find(({ id }) => id === operator)?.verb.kind === 'broadcast'
  const range = isBroadcast ? { first: 0, endExclusive: 1 } : keyGroupsOfSlot(slot, maxParallelism, chain.parallelism)
  return snapshotsOf(manifest)
    .flatMap((snapshot) => memberOf(snapshot.state, operator) ?? [])
    .filter((file) => file.groups.some(([group]) => group >= range.first && group < range.endExclusive))
}

function committablesOf(manifest: Manifest | undefined, operator: string): Committable[] {
  return snapshotsOf(manifest).flatMap((snapshot) => memberOf(snapshot.committables, operator) ?? [])
}

function sinkNotesOf(manifest: Manifest | undefined, operator: string): SinkNote[] {
  return snapshotsOf(manifest).flatMap(({ sinkNotes = {} }) => memberOf(sinkNotes, operator) ?? [])
}

/** The splits a checkpoint holds, by source. */
export function splitsOf(manifest: Manifest | undefined, operator: string): Split[] {
  return snapshotsOf(manifest).flatMap((snapshot) => memberOf(snapshot.splits, operator) ?? [])
}

/** In the order of subtask ids, so that every process derives the same assignment. */
function snapshotsOf(manifest: Manifest | undefined): Manifest['subtasks'][string][] {
  if (!manifest) return []
  return Object.keys(manifest.subtasks)
    .sort()
    .map((id) => manifest.subtasks[id])
    .filter((snapshot) => snapshot !== undefined)
}

/** Operators that hold state in the checkpoint and are gone from the plan: a restore would lose it. */
export function droppedState(plan: ExecutionPlan, manifest: Manifest): string[] {
  const held = snapshotsOf(manifest).flatMap((snapshot) => [
    ...Object.keys(snapshot.state),
    ...Object.keys(snapshot.splits),
    ...Object.keys(snapshot.sinkNotes ?? {}),
  ])
  return goneFrom(plan, held)
}

/** Sinks whose output waits for its commit and that are gone from the plan: nobody would commit it. */
export function droppedOutput(plan: ExecutionPlan, manifest: Manifest | undefined): string[] {
  return goneFrom(
    plan,
    snapshotsOf(manifest).flatMap(({ committables }) =>
      Object.entries(committables).flatMap(([operator, waiting]) => (waiting.length > 0 ? operator : [])),
    ),
  )
}

function goneFrom(plan: ExecutionPlan, operators: readonly string[]): string[] {
  const present = new Set(plan.chains.flatMap((chain) => chain.operators.map((operator) => operator.id)))
  return [...new Set(operators)].filter((operator) => !present.has(operator)).sort()
}
