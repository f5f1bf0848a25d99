/**
 * How Node is started for a process of a job or of the operator, everywhere: V8 refuses code that was compiled
 * under other flags. The Dockerfile says the same. Both were measured in `bench/`.
 *   - A larger young generation keeps batches of rows from being promoted.
 *   - State lies outside of V8's heap. By default V8 collects everything with each 64 MB of such memory that is taken, however
 *     much there is already: 76 times in a join of Nexmark q20 with 1 GB of rows and a heap of 14 MB. Counted in the limit
 *     of the heap, it does so when all has grown by a third: 26 times.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=16', '--external-memory-accounted-in-global-limit']

/**
 * In the image the heap may take half of the container's memory; the rest is for what lies outside of it. Node by itself
 * gives it 256 MB at least: with a limit of 256Mi the container would be killed before the heap is ever cleaned up.
 */
export const IMAGE_FLAGS: readonly string[] = [...NODE_FLAGS, '--max-old-space-size-percentage=50']
