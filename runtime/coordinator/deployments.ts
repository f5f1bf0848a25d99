import type { Deployment } from '../control/messages.ts'
import { encodeGraph } from '../graph/encoded-graph.ts'
import { MillraceError } from '../model/errors.ts'
import type { SubtaskId } from '../model/ids.ts'
import type { SubtaskRestores } from '../model/snapshot.ts'
import { subtasksOf } from '../plan/chaining.ts'
import type { NetAddress } from '../ports/net.ts'
import type { AttemptParts } from './attempt-run.ts'
import { inlineBytesOfSubtask } from './inline-state.ts'

/** The deployment of each worker in an attempt. Throws WORKER_LOST when a worker has no address. */
export function deploymentsOf(
  { attempt, plan, graph, predecessors, readingShare, inlineStateBytes }: AttemptParts,
  job: { jobUid: string; baseDir: string; storeUrl: string },
  restores: SubtaskRestores,
  addressOf: (subtask: SubtaskId) => NetAddress | undefined,
): Map<SubtaskId, Deployment> {
  const upstream: Record<SubtaskId, NetAddress> = {}
  const subtasks = subtasksOf(plan)
  for (const { id } of subtasks) {
    const address = addressOf(id)
    if (!address)
      throw new MillraceError('WORKER_LOST', `worker ${id} is gone`, { domain: 'platform', retriable: true })
    upstream[id] = address
  }
  const { jobUid, baseDir, storeUrl: store } = job
  return new Map(
    subtasks.map(({ id, chain, slot }) => [
      id,
      {
        attempt,
        jobUid,
        predecessors,
        readingShare,
        inlineStateBytes: inlineBytesOfSubtask(inlineStateBytes, plan),
        graph: encodeGraph(graph),
        baseDir,
        store,
        chain: chain.id,
        slot,
        upstream,
        restore: restores[id] ?? { splits: {}, state: {}, committables: {}, sinkNotes: {} },
      },
    ]),
  )
}
