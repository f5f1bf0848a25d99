import type { FrozenState, GroupState } from '../model/snapshot.ts'

/** All blocks of a frozen state at once, which is released. */
export function frozenBlocks(frozen: FrozenState): GroupState[] {
  const states = [...frozen.read().blocks]
  frozen.release()
  return states
}
