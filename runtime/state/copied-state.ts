import type { FrozenState, GroupState } from '../model/snapshot.ts'

/**
 * State that was copied at the barrier and is written whole each time: for what is small, or needs no copy to stay
 * as it is.
 */
export function copiedState(blocks: readonly GroupState[]): FrozenState {
  const bytes = blocks.reduce((sum, [, block]) => sum + block.length, 0)
  return { read: () => ({ kept: [], bytes, blocks }), release: () => undefined }
}
