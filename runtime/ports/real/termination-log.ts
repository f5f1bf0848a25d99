import { closeSync, openSync, writeSync } from 'node:fs'

/** Where a kubelet reads why a container ended, unless its pod says otherwise; outside of pods there is none. */
const PATH = '/dev/termination-log'
/** As much as a kubelet takes. */
const MAX_BYTES = 4096

/** Leaves why this process ends, so that it stands in the status of its pod. The embedded node names a file of its own. */
export function leaveReason(reason: string, path = process.env['MILLRACE_TERMINATION_LOG'] ?? PATH): void {
  let file: number
  try {
    file = openSync(path, 'r+')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')) return
    throw error
  }
  writeSync(file, Buffer.from(reason).subarray(0, MAX_BYTES))
  closeSync(file)
}
