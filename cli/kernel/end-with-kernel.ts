import { rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { workerData } from 'node:worker_threads'

/** The data that the thread is started with. */
export interface EndWithKernel {
  /** The descriptor of the pipe. */
  readonly fd: number
  /** The file that the kernel would have removed. */
  readonly moduleFile: string
}

/**
 * A thread in the process of a cell. The kernel holds the other end of the pipe, which the system closes however the
 * kernel ends. The thread kills its process then, although a function of the cell may hold up the main thread for ever.
 */
const { fd, moduleFile } = workerData as EndWithKernel
const end = (): void => {
  rmSync(moduleFile, { force: true })
  process.kill(process.pid, 'SIGKILL')
}
new Socket({ fd }).on('end', end).on('error', end).resume()
