import { memberOf } from '../model/fields.ts'
import { splitsOf } from '../checkpoint/restore-assignment.ts'
import type { Manifest } from '../checkpoint/manifest.ts'
import type { Connectors } from '../connectors/registry.ts'
import type { SourceContext } from '../connectors/source.ts'
import { describeWithCauses } from '../model/errors.ts'
import { subtaskId, type Attempt, type SubtaskId } from '../model/ids.ts'
import type { Split } from '../model/snapshot.ts'
import type { Chain, ExecutionPlan } from '../plan/execution-plan.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import type { SourceVerb } from '../graph/verbs/source.ts'

/** `reportTrouble` is called with a system that does not answer, while it is still being tried. */
export interface SplitParts extends Pick<SourceContext, 'job' | 'ports' | 'baseDir' | 'reportTrouble'> {
  plan: ExecutionPlan
  connectors: Connectors
}

interface Source {
  chain: Chain
  operator: OperatorNode
  verb: SourceVerb
}

/**
 * The splits of every source: those of the checkpoint with their positions, new ones at their start. Rejects
 * with the connector's error, which names the broker, topic or path that it cannot reach. `attempt` as in `discover`
 * of an enumerator.
 */
export async function discoverSplits(
  parts: SplitParts,
  manifest: Manifest | undefined,
  attempt: Attempt | undefined,
): Promise<Record<string, Split[]>> {
  const splits: Record<string, Split[]> = {}
  for (const source of sourcesOf(parts.plan))
    splits[source.operator.id] = await discover(parts, source, splitsOf(manifest, source.operator.id), attempt)
  return splits
}

/**
 * While an attempt runs, looks for new splits of sources that can get more, and distributes them by the rule of
 * `assignRestore`. A look that fails changes nothing; the readers report a system that is away. Until a checkpoint
 * holds a new split, each attempt finds it again at its start and reads it from the beginning.
 */
export function watchSplits(
  parts: SplitParts,
  handedOut: Readonly<Record<string, readonly Split[]>>,
  attempt: { isCurrent(): boolean; deal(subtask: SubtaskId, operator: string, splits: readonly Split[]): void },
): void {
  const { clock, logger } = parts.ports
  for (const source of sourcesOf(parts.plan)) {
    const operator = source.operator.id
    const everyMs = parts.connectors.sources[source.verb.connector]?.lookAgainMs?.(source.verb.options)
    if (everyMs === undefined) continue
    let known = memberOf(handedOut, operator) ?? []
    const look = async (): Promise<void> => {
      const found = await discover(parts, source, known, undefined)
      const ids = new Set(known.map(({ id }) => id))
      const fresh = found.filter(({ id }) => !ids.has(id))
      if (fresh.length === 0 || !attempt.isCurrent()) return
      logger.info('new splits', { operator, splits: fresh.map(({ id }) => id) })
      for (const [index, split] of fresh.entries()) {
        attempt.deal(subtaskId(source.chain.id, (known.length + index) % source.chain.parallelism), operator, [split])
      }
      known = [...known, ...fresh]
    }
    const again = (): void => {
      clock.after(everyMs, () => {
        if (!attempt.isCurrent()) return
        void look()
          .catch((error: unknown) => {
            logger.debug('no look for new splits', { operator, reason: describeWithCauses(error) })
          })
          .finally(again)
      })
    }
    again()
  }
}

export function sourcesOf(plan: ExecutionPlan): Source[] {
  return plan.chains.flatMap((chain) =>
    chain.operators.flatMap((operator) =>
      operator.verb.kind === 'source' ? [{ chain, operator, verb: operator.verb }] : [],
    ),
  )
}

async function discover(
  { job, connectors, ports, baseDir, reportTrouble }: SplitParts,
  { chain, operator, verb }: Source,
  known: readonly Split[],
  attempt: Attempt | undefined,
): Promise<Split[]> {
  const connector = await connectors.source(verb.connector, verb.options)
  const enumerator = connector.enumerator({
    job,
    operatorId: operator.id,
    verb,
    schema: operator.schema,
    ports,
    baseDir,
    reportTrouble,
    onBadRecord: (error, where) => {
      ports.logger.warn('record left out', { where, reason: error.message })
    },
  })
  try {
    return await enumerator.discover(known, chain.parallelism, attempt)
  } finally {
    await enumerator.close()
  }
}
