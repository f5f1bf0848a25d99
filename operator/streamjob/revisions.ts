import type { HeldRevision, KeptRevision, StreamJobStatus } from '../api/stream-job.ts'

const DEFAULT_LIMIT = 10

/** Those known, newest first, and this one in front of them: the same text again gets a new number, as in Deployments. */
export function withRevision(
  known: readonly KeptRevision[],
  added: Omit<KeptRevision, 'revision'>,
): readonly KeptRevision[] {
  const [newest] = known
  if (newest?.hash === added.hash) return known
  const others = known.filter(({ hash }) => hash !== added.hash)
  return [{ ...added, revision: (newest?.revision ?? 0) + 1 }, ...others]
}

/** The newest ones, and those that something else in the status names, however old they are. */
export function withinLimit(
  known: readonly KeptRevision[],
  status: Pick<StreamJobStatus, 'lastGood' | 'stable' | 'rollbackTo'>,
  limit: number = DEFAULT_LIMIT,
): readonly KeptRevision[] {
  const { lastGood, stable, rollbackTo } = status
  const inUse = [lastGood?.hash, lastGood?.running, stable, rollbackTo?.hash]
  return known.filter(({ hash }, index) => index < limit || inUse.includes(hash))
}

/** What somebody who looks at the job has to know while `spec.upgrade.rollbackTo` is there. */
export function heldBy({ revision }: HeldRevision): string {
  return `Revision ${revision} runs in place of the newest spec until spec.upgrade.rollbackTo is removed.`
}
