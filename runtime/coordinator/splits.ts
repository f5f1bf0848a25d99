import { splitsOf } from '../checkpoint/restore-assignment.ts'
import type { Manifest } from '../checkpoint/manifest.ts'
import { sourceConnector, type Connectors } from '../connectors/registry.ts'
import type { Split } from '../model/snapshot.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import type { Ports } from '../ports/ports.ts'

/**
 * The splits of every source: those of the checkpoint with their positions, new ones at their start. Rejects
 * with the connector's error, which names the broker, topic or path that it cannot reach.
 */
export async function discoverSplits(
  plan: ExecutionPlan, manifest: Manifest | undefined, connectors: Connectors, ports: Ports, baseDir: string,
): Promise<Record<string, Split[]>> {
  const splits: Record<string, Split[]> = {}
  for (const chain of plan.chains) {
    for (const operator of chain.operators) {
      if (operator.verb.kind !== 'source') continue
      const enumerator = sourceConnector(connectors, operator.verb.connector).enumerator({
        operatorId: operator.id, verb: operator.verb, schema: operator.schema, ports, baseDir,
        onBadRecord: (error, where) => { ports.logger.warn('record left out', { where, reason: error.message }) },
        reportTrouble: (error) => { if (error) ports.logger.warn('source unreachable', { operator: operator.id, reason: error.message }) },
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
