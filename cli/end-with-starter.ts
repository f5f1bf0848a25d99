import { Socket } from 'node:net'

/**
 * Ends this process when the one that started it through cli/node.js is gone, however that ended: SIGKILL passes
 * nothing on. Called once, first thing; does nothing when there is no such starter.
 */
export function endWithStarter(): void {
  const fd = process.env['MILLRACE_STARTER_FD']
  if (fd === undefined) return
  // Not for our own children: they have pipes of their own.
  delete process.env['MILLRACE_STARTER_FD']
  const end = (): void => {
    process.exit(137)
  }
  // A socket, not a file stream: a read of a file would keep a thread that holds up the exit.
  new Socket({ fd: Number(fd) }).on('end', end).on('error', end).resume().unref()
}
