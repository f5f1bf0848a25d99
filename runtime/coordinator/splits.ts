import { splitsOf } from '../checkpoint/restore-assignment.ts'
import type { Manifest } from '../checkpoint/manifest.ts'
import { sourceConnector, type Connectors } from '../connectors/registry.ts'
import type { SourceContext } from '../connectors/source.ts'
import type { Split } from '../model/snapshot.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'

/**
 * The splits of every source: those of the checkpoint with their positions, new ones at their start. Rejects
 * with the connector's error, which names the broker, topic or path that it cannot reach; `reportTrouble` hears of it
 * while it is still being tried.
 */
export async function discoverSplits(
  plan: ExecutionPlan, manifest: Manifest | undefined, connectors: Connectors, context: Pick<SourceContext, 'ports' | 'baseDir' | 'reportTrouble'>,
): Promise<Record<string, Split[]>> {
  const splits: Record<string, Split[]> = {}
  for (const chain of plan.chains) {
    for (const operator of chain.operators) {
      if (operator.verb.kind !== 'source') continue
      const enumerator = sourceConnector(connectors, operator.verb.connector).enumerator({
        operatorId: operator.id, verb: operator.verb, schema: operator.schema, ...context,
        onBadRecord: (error, where) => { context.ports.logger.warn('record left out', { where, reason: error.message }) },
      })
      try {
        splits[operator.id] = await enumerator.discover(splitsOf(manifest, operator.id), chain.parallelism)
      } finally {
        await enumerator.close()
      }
    }
  }
  return splits
}
