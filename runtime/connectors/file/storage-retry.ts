import { StorageRetry } from '../kit/storage-retry.ts'
import type { SinkContext } from '../sink.ts'
import type { SourceContext } from '../source.ts'

/** Repeats what a source or sink of files does with storages for objects; local files are not repeated. */
export function storageRetry(
  context: Pick<SourceContext | SinkContext, 'ports' | 'operatorId' | 'reportTrouble'>,
  signal: AbortSignal,
): StorageRetry {
  return new StorageRetry({
    ports: context.ports,
    name: context.operatorId,
    closedCode: 'FILE_CLOSED',
    signal,
    reports: context,
  })
}
