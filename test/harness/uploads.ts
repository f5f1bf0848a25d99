import { expect } from 'vitest'
import type { FrozenState, GroupState, StateFile, StateReading } from '../../runtime/model/snapshot.ts'

/**
 * Reads what one operator froze, one barrier at a time and a block at a time, into files. `expected` goes with
 * each.
 */
export class Uploads<T> {
  readonly #sizes: 'known' | 'estimated'
  readonly done: { files: readonly StateFile[]; expected: T }[] = []
  readonly #bytesOf = new Map<string, Buffer>()
  readonly #waiting: { frozen: FrozenState; expected: T }[] = []
  #current:
    | { frozen: FrozenState; expected: T; reading: StateReading; blocks: Iterator<GroupState>; read: GroupState[] }
    | undefined

  /** `sizes`: whether what was frozen knows how many bytes it will be, or learns them from what it wrote before. */
  constructor(sizes: 'known' | 'estimated' = 'known') {
    this.#sizes = sizes
  }

  get writtenBytes(): number {
    return [...this.#bytesOf.values()].reduce((sum, bytes) => sum + bytes.length, 0)
  }

  add(frozen: FrozenState, expected: T): void {
    this.#waiting.push({ frozen, expected })
  }

  /** False when there is nothing to do. */
  step(): boolean {
    if (this.#current === undefined) {
      const next = this.#waiting.shift()
      if (next === undefined) return false
      const reading = next.frozen.read()
      this.#current = { ...next, reading, blocks: reading.blocks[Symbol.iterator](), read: [] }
    }
    const { frozen, expected, reading, blocks, read } = this.#current
    const block = blocks.next()
    if (block.done !== true) {
      const [group, bytes] = block.value
      read.push([group, new Uint8Array(bytes)])
      return true
    }
    const bytes = read.reduce((sum, [, of]) => sum + of.length, 0)
    if (this.#sizes === 'known') expect(bytes).toBeLessThanOrEqual(reading.bytes)
    const half = read.length >> 1
    const files = [read.slice(0, half), read.slice(half)]
      .filter((blocksOf) => blocksOf.length > 0)
      .map((blocksOf) => this.#write(blocksOf))
    frozen.release(files)
    this.done.push({ files: [...reading.kept, ...files], expected })
    this.#current = undefined
    return true
  }

  /** What is under way is not written. */
  fail(): void {
    this.#current?.frozen.release()
    this.#current = undefined
  }

  /** The blocks of files as a restore gets them. */
  blocks(files: readonly StateFile[]): GroupState[] {
    return files.flatMap(({ path, groups }) => {
      const bytes = this.#bytesOf.get(path)
      if (bytes === undefined) throw new Error(`${path} was never written`)
      return groups.map(([group, offset, length]): GroupState => [group, bytes.subarray(offset, offset + length)])
    })
  }

  #write(blocks: readonly GroupState[]): StateFile {
    const path = `file ${this.#bytesOf.size}`
    const bytes = Buffer.concat(blocks.map(([, block]) => block))
    this.#bytesOf.set(path, bytes)
    let offset = 0
    return {
      path,
      sizeBytes: bytes.length,
      sha256: '',
      groups: blocks.map(([group, block]) => [group, (offset += block.length) - block.length, block.length]),
    }
  }
}
