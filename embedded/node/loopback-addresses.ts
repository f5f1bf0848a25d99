import { randomInt } from 'node:crypto'
import type { Server } from 'node:net'
import { createServer } from 'node:net'
import { MillraceError } from '../../runtime/model/errors.ts'

/** Below every ephemeral range; held on `127.A.0.1` for as long as a node uses the block `127.A.x.y`. */
const lockPort = 19_443

/**
 * Hands out loopback addresses, one per pod, from a block that no other node of this machine uses: a node holds its
 * block by listening on one port of it, so the block is free again however the process ends.
 */
export class LoopbackAddresses {
  readonly #block: number
  readonly #lock: Server
  readonly #used = new Set<number>()
  #next = 0

  private constructor(block: number, lock: Server) {
    this.#block = block
    this.#lock = lock
  }

  static async reserve(): Promise<LoopbackAddresses> {
    const first = randomInt(10, 250)
    for (let i = 0; i < 240; i++) {
      const block = 10 + ((first - 10 + i) % 240)
      const lock = await tryListen(`127.${block}.0.1`)
      if (lock !== undefined) return new LoopbackAddresses(block, lock)
    }
    throw new MillraceError(
      'EMBEDDED_NO_ADDRESSES',
      `no block of loopback addresses 127.10.x.y to 127.249.x.y is free (port ${lockPort} of each is taken)`,
      {
        domain: 'platform',
        hint: 'end other embedded nodes; on macOS, loopback aliases have to be added with ifconfig first',
      },
    )
  }

  /** An address that is not in use. Addresses come round only after some 65 000 others. */
  take(): string {
    for (let tries = 0; tries < 65_000; tries++) {
      const number = 256 + (this.#next++ % 65_000)
      const low = number & 255
      if (low === 0 || low === 255 || this.#used.has(number)) continue
      this.#used.add(number)
      return `127.${this.#block}.${number >> 8}.${low}`
    }
    throw new MillraceError('EMBEDDED_NO_ADDRESSES', 'all loopback addresses of this node are in use', {
      domain: 'platform',
    })
  }

  release(address: string): void {
    const [, , high = 0, low = 0] = address.split('.').map(Number)
    this.#used.delete(high * 256 + low)
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#lock.close(() => resolve())
    })
  }
}

function tryListen(address: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', () => resolve(undefined))
    server.listen(lockPort, address, () => {
      server.unref()
      resolve(server)
    })
  })
}
