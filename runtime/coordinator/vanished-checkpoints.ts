import type { JobLog } from '../checkpoint/job-log.ts'
import { MillraceError } from '../model/errors.ts'
import type { Attempt } from '../model/ids.ts'
import type { CheckpointReport } from '../model/job.ts'
import type { Store } from '../ports/store.ts'

/**
 * Looks whether somebody deleted the job's folder while it runs, and writes its claim again if so. The next checkpoint
 * then has to hold the whole state. Returns what to report until the checkpoint after that.
 */
export async function findVanished(
  { log, store, attempt }: { log: JobLog; store: Store; attempt: Attempt },
  newest: CheckpointReport | null,
  storeUrl: string,
): Promise<MillraceError | undefined> {
  if (newest === null) return undefined
  if ((await log.isThere()) && (await store.get(newest.path)) !== undefined) return undefined
  await log.restateClaim(attempt)
  return new MillraceError(
    'CHECKPOINTS_VANISHED',
    `checkpoint ${newest.attempt}-${newest.id} is gone from ${storeUrl}: the next one writes the whole state`,
    {
      domain: 'platform',
      retriable: true,
      hint: 'Find out who deletes files there; a crash before it would have lost the state of the job.',
    },
  )
}
