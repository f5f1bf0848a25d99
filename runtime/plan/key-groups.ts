/** Key groups are distributed over slots in contiguous ranges, as in Flink (KeyGroupRangeAssignment). */
export interface KeyGroupRange {
  first: number
  endExclusive: number
}

/** The slot that owns a key group. Inverse of keyGroupsOfSlot. */
export function slotOfKeyGroup(keyGroup: number, maxParallelism: number, parallelism: number): number {
  return Math.floor((keyGroup * parallelism) / maxParallelism)
}

/** The key groups of a slot. Inverse of slotOfKeyGroup. */
export function keyGroupsOfSlot(slot: number, maxParallelism: number, parallelism: number): KeyGroupRange {
  return {
    first: Math.ceil((slot * maxParallelism) / parallelism),
    endExclusive: Math.ceil(((slot + 1) * maxParallelism) / parallelism),
  }
}
