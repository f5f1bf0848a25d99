import { createServer } from 'node:net'
import { randomInt } from 'node:crypto'

const LOWEST = 20_000
const HIGHEST = 32_000 // below the range from which the kernel gives ports to outgoing connections

/** `count` different loopback ports that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  while (found.size < count) {
    const port = randomInt(LOWEST, HIGHEST)
    if (!found.has(port) && (await isFree(port))) found.add(port)
  }
  return [...found]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
