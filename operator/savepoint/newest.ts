import type { StreamSavepoint } from '../api/stream-savepoint.ts'

/** Whether its files are of the job with this UID. */
export function isOf({ status }: StreamSavepoint, jobUid: string): boolean {
  return status?.location?.includes(`/${jobUid}/`) === true
}

export function isCompleted({ status, metadata }: StreamSavepoint): boolean {
  return status?.phase === 'Completed' && status.location !== undefined && metadata.deletionTimestamp === undefined
}

/**
 * Where the newest completed one of these lies. Of several lives of a job the last one counts, by the clock of the API
 * server; in it attempt and checkpoint number say what came later, since coordinators have clocks of their own.
 */
export function newestLocation(savepoints: readonly StreamSavepoint[]): string | undefined {
  const completed = savepoints.filter(isCompleted)
  const latest = completed.reduce<StreamSavepoint | undefined>(
    (newest, one) => (newest === undefined || createdAt(one) > createdAt(newest) ? one : newest),
    undefined,
  )
  const life = placeOf(latest)?.folder
  const places = completed.flatMap((one) => placeOf(one) ?? []).filter(({ folder }) => folder === life)
  places.sort((a, b) => b.attempt - a.attempt || b.id - a.id)
  return places[0]?.location ?? latest?.status?.location
}

export function createdAt({ metadata }: StreamSavepoint): number {
  return Date.parse(metadata.creationTimestamp ?? '')
}

/** As the runtime names the folder of a checkpoint in that of its job. */
function placeOf(
  savepoint: StreamSavepoint | undefined,
): { location: string; folder: string; attempt: number; id: number } | undefined {
  const location = savepoint?.status?.location ?? ''
  const [, folder, attempt, id] = /^(.*)\/checkpoints\/(\d+)-(\d+)$/.exec(location) ?? []
  return folder === undefined ? undefined : { location, folder, attempt: Number(attempt), id: Number(id) }
}
