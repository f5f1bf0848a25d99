import type { Manifest } from '../checkpoint/manifest.ts'
import { memberOf } from '../model/fields.ts'
import type { Attempt, SubtaskId } from '../model/ids.ts'
import type { Split } from '../model/snapshot.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import { discoverSplits, sourcesOf, type SplitParts, watchSplits } from './splits.ts'

/** The sources of the job, asked for their splits. A source that does not answer is reported at once. */
export class JobSources {
  readonly #parts: Omit<SplitParts, 'plan'>
  #haveFailed = false

  constructor(parts: Omit<SplitParts, 'plan'>) {
    this.#parts = parts
  }

  /** The last time that they were asked. */
  get haveFailed(): boolean {
    return this.#haveFailed
  }

  /** As discoverSplits. */
  async discover(
    plan: ExecutionPlan,
    manifest: Manifest | undefined,
    attempt: Attempt | undefined,
  ): Promise<Record<string, Split[]>> {
    this.#haveFailed = true
    const splits = await discoverSplits({ ...this.#parts, plan }, manifest, attempt)
    this.#haveFailed = false
    return splits
  }

  /** How many splits each source has; a source to which senders connect has one for each slot, however many. */
  splitCounts(plan: ExecutionPlan, splits: Readonly<Record<string, readonly Split[]>>): ReadonlyMap<string, number> {
    const { sources } = this.#parts.connectors
    return new Map(
      sourcesOf(plan).map(({ operator, verb }) => {
        const listens = memberOf(sources, verb.connector)?.listens !== undefined
        return [operator.id, listens ? Infinity : Math.max(1, memberOf(splits, operator.id)?.length ?? 0)]
      }),
    )
  }

  /** As watchSplits. Reports nothing: the readers report a source that does not answer. */
  watch(
    plan: ExecutionPlan,
    handedOut: Readonly<Record<string, readonly Split[]>>,
    attempt: { isCurrent(): boolean; deal(subtask: SubtaskId, operator: string, splits: readonly Split[]): void },
  ): void {
    watchSplits({ ...this.#parts, plan, reportTrouble: () => undefined }, handedOut, attempt)
  }
}
