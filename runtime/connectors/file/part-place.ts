import type { Committable } from '../../model/snapshot.ts'

/**
 * Where a sink writes its parts: a local folder, or a storage for objects. Paths are relative to it: folders of
 * partitions and a name of PartNames.
 */
export interface PartPlace {
  /** How many bytes a part that is being written may hold in memory. */
  readonly heldBytes: number
  /** 'taken': an earlier run whose checkpoints were thrown away has left a part of this name, and it stays. */
  begin(path: string): Promise<OutputPart | 'taken'>
  /** Makes parts visible that this or another writer has prepared here; those that are visible stay so. */
  commit(committables: readonly Committable[]): Promise<void>
  /** Removes a part that was prepared and that no checkpoint holds. */
  discard(committable: Committable): Promise<void>
  /** Removes what older attempts began and no checkpoint holds. Called once a checkpoint of this attempt is complete. */
  sweep(): Promise<void>
}

/** One part while it is written; nobody sees it before it is committed. Never called concurrently. */
export interface OutputPart {
  write(bytes: Uint8Array): Promise<void>
  /** Everything written is durable. Nothing can be written after. */
  prepare(): Promise<Committable>
  discard(): Promise<void>
}
