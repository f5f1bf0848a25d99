import type { LogFile } from '../../../ports/files.ts'
import type { SegmentFiles } from './log-writer.ts'

/** Segments that end with the process (`log: none`). */
export class MemorySegments implements SegmentFiles {
  readonly #segments = new Map<string, { start: number; bytes: Buffer }[]>()

  async createLog(path: string): Promise<LogFile> {
    const parts: { start: number; bytes: Buffer }[] = []
    let end = 0
    this.#segments.set(path, parts)
    return {
      async append(bytes) {
        parts.push({ start: end, bytes: Buffer.from(bytes) })
        end += bytes.length
      },
      sync: async () => undefined,
      isInPlace: async () => true,
      close: async () => undefined,
    }
  }

  async read(path: string, offset: number, length: number): Promise<Uint8Array> {
    const parts = this.#segments.get(path) ?? []
    const first = Math.max(
      0,
      parts.findLastIndex(({ start }) => start <= offset),
    )
    const found = parts.slice(first).filter(({ start }) => start < offset + length)
    const skipped = offset - (found[0]?.start ?? offset)
    return Buffer.concat(found.map(({ bytes }) => bytes)).subarray(skipped, skipped + length)
  }

  async delete(path: string): Promise<void> {
    this.#segments.delete(path)
  }
}
