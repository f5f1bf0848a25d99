import type { ScratchFile } from '../scratch.ts'

/** A disk in memory on which scratch files lie. */
export class VirtualScratch {
  /** Files that are open. */
  openFiles = 0
  usedBytes = 0
  /** What whoever writes gets instead of its effect. */
  refusal: () => Error | undefined = () => undefined
  readonly #capacityBytes: number

  constructor(capacityBytes = Infinity) {
    this.#capacityBytes = capacityBytes
  }

  open(): ScratchFile {
    let content = Buffer.alloc(0)
    let size = 0
    this.openFiles++
    return {
      write: (bytes, at) => {
        const refusal = this.refusal()
        if (refusal !== undefined) throw refusal
        const more = Math.max(0, at + bytes.length - size)
        if (this.usedBytes + more > this.#capacityBytes)
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        this.usedBytes += more
        size += more
        if (size > content.length)
          content = Buffer.concat([content, Buffer.alloc(Math.max(size, 2 * content.length) - content.length)])
        content.set(bytes, at)
      },
      read: (into, at) => {
        if (at + into.length > size)
          throw new Error(`the file has ${size} bytes, ${into.length} were to be read at ${at}`)
        into.set(content.subarray(at, at + into.length))
      },
      close: () => {
        this.openFiles--
        this.usedBytes -= size
        size = 0
      },
    }
  }
}
