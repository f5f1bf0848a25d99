import type { Connection } from '../../runtime/ports/net.ts'

/** The other end is the test: it hands in what a sender sends, and never reads what it is answered. */
export class SenderEnd implements Connection {
  readonly remote = '10.0.0.1:5000'
  bufferedBytes = 0
  isPaused = false
  deliver: (bytes: Uint8Array) => void = () => undefined
  #onClose: (error?: Error) => void = () => undefined

  write(bytes: Uint8Array): void {
    this.bufferedBytes += bytes.length
  }
  onData(handle: (bytes: Uint8Array) => void): void {
    this.deliver = handle
  }
  onDrain(): void {
    // nothing is ever sent
  }
  onClose(handle: (error?: Error) => void): void {
    this.#onClose = handle
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  end(): void {
    this.#onClose()
  }
  destroy(): void {
    this.#onClose()
  }
}
