import type { FrozenState, GroupState, SnapshotExtent } from '../../runtime/model/snapshot.ts'

/** All blocks of a state as of now; none of one that is not there. */
export function wholeBlocks(state: { freeze(extent: SnapshotExtent): FrozenState } | undefined): GroupState[] {
  const frozen = state?.freeze('whole')
  if (frozen === undefined) return []
  const blocks = Array.from(frozen.read().blocks, ([group, bytes]): GroupState => [group, new Uint8Array(bytes)])
  frozen.release()
  return blocks
}
