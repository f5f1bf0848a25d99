import { Socket } from 'node:net'
import { workerData } from 'node:worker_threads'

/**
 * A thread in the process of a cell. The kernel holds the other end of the pipe, which the system closes however the
 * kernel ends. The thread kills its process then, although a function of the cell may hold up the main thread for ever.
 */
const end = (): void => {
  process.kill(process.pid, 'SIGKILL')
}
new Socket({ fd: Number(workerData) }).on('end', end).on('error', end).resume()
