import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below the range from which systems give ports to outgoing connections, so that no reconnecting worker takes it. */
const FIRST_PORT = 20_000
const PORTS = 12_000

/** A port that was free at that address a moment ago; `0.0.0.0` means at every address of this machine. */
export async function freePort(host: string): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + randomInt(PORTS)
    if (await isFree(host, port)) return port
  }
}

/** Whether all these were free at that address a moment ago. */
export async function areFree(host: string, ports: readonly number[]): Promise<boolean> {
  const free = await Promise.all(ports.map((port) => isFree(host, port)))
  return free.every(Boolean)
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => {
      resolve(false)
    })
    server.listen(port, host, () => {
      server.close(() => {
        resolve(true)
      })
    })
  })
}
