import type { Connection } from '../../../ports/net.ts'

/** Two ends of a connection in memory: bytes arrive in order, before any timer. */
export function pipe(): [Connection, Connection] {
  const one = new End('virtual')
  const other = new End('client')
  one.peer = other
  other.peer = one
  return [one, other]
}

class End implements Connection {
  readonly remote: string
  readonly bufferedBytes = 0
  peer: End | undefined
  #onData: ((bytes: Uint8Array) => void) | undefined
  #onClose: ((error?: Error) => void) | undefined
  #isClosed = false

  constructor(remote: string) {
    this.remote = remote
  }

  write(bytes: Uint8Array, onSent?: () => void): void {
    if (this.#isClosed) return
    const copy = Uint8Array.from(bytes)
    queueMicrotask(() => {
      this.peer?.receive(copy)
      onSent?.()
    })
  }

  onData(handle: (bytes: Uint8Array) => void): void {
    this.#onData = handle
  }

  onDrain(): void {
    // nothing is ever buffered
  }

  onClose(handle: (error?: Error) => void): void {
    this.#onClose = handle
  }

  pause(): void {
    throw new Error('reading is not paused here')
  }

  resume(): void {
    // it is not paused
  }

  end(): void {
    this.destroy()
  }

  destroy(): void {
    this.close()
    const { peer } = this
    queueMicrotask(() => peer?.close())
  }

  receive(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#onData?.(bytes)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#onClose?.()
  }
}
