import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockFolder } from '../../../cli/folder-lock.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
})
afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

function socketPath(): string {
  return relative('', join(dir, 'dev.sock'))
}

/** What a process leaves behind that was killed while it had the folder. */
function leaveStale(): void {
  const code = `require('node:net').createServer().listen(${JSON.stringify(socketPath())}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', code])
  expect(readdirSync(dir)).toEqual(['dev.sock'])
}

test('a folder is taken once, and again when it was given back', async () => {
  const release = await lockFolder(dir)
  await expect(lockFolder(dir)).rejects.toMatchObject({
    code: 'DEV_RUNS_ALREADY',
    message: `process ${process.pid} serves ${dir} already`,
  })
  release()
  ;(await lockFolder(dir))()
})

test('what a killed process left is taken over by one of several that start at once', async () => {
  leaveStale()
  const starts = await Promise.allSettled(Array.from({ length: 5 }, () => lockFolder(dir)))
  const taken = starts.filter((start) => start.status === 'fulfilled')
  expect(taken).toHaveLength(1)
  taken[0]?.value()
})

test('a process that listens and says nothing has the folder', async () => {
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => {
    server.listen(socketPath(), resolve)
  })
  await expect(lockFolder(dir)).rejects.toMatchObject({
    message: `a process that does not answer serves ${dir} already`,
  })
  server.close()
})
