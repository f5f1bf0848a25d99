import { closeSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ScratchFile } from '../scratch.ts'

/** The name goes as soon as the file is open: its space is free again when the process ends, even by SIGKILL. */
export function openRealScratchFile(folder = tmpdir()): ScratchFile {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `millrace-state-${randomBytes(8).toString('hex')}`)
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  let isOpen = true
  // its number may be another file's by then
  const check = (): void => {
    if (!isOpen) throw new Error('the file is closed')
  }
  return {
    write: (bytes, at) => {
      check()
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done)
    },
    read: (into, at) => {
      check()
      for (let done = 0; done < into.length; ) {
        const count = readSync(file, into, done, into.length - done, at + done)
        if (count === 0)
          throw new Error(`the file ends at byte ${at + done}, ${into.length} bytes were to be read at ${at}`)
        done += count
      }
    },
    close: () => {
      if (isOpen) closeSync(file)
      isOpen = false
    },
  }
}
