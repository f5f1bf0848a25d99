import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { spawnTied } from '../../harness/beds/tied-process.ts'
import { waitFor } from '../../harness/beds/wait-for.ts'

describe('a process tied to the tests', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-tied-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('its output is in the log and its exit code is told', async () => {
    const child = await spawnTied('sh', ['-c', 'echo hello; exit 3'], { log: join(dir, 'a.log') })
    expect(await child.exited).toBe('exit code 3')
    expect(child.logTail()).toBe('hello')
    await child.stop(1000) // nothing left to stop
  })

  test('one that ignores SIGTERM is killed after its grace', async () => {
    const log = join(dir, 'b.log')
    const child = await spawnTied('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'], { log })
    await waitFor('the trap is set', 10_000, async () => readFileSync(log, 'utf8').includes('ready'))
    await child.stop(50)
    expect(await child.exited).toBe('SIGKILL')
  })

  test('it ends when the process that started it is killed with SIGKILL', async () => {
    const module = new URL('../../harness/beds/tied-process.ts', import.meta.url).href
    const code = `const { spawnTied } = await import('${module}')
      const child = await spawnTied('sleep', ['600'], { log: '${join(dir, 'c.log')}' })
      console.log(child.pid)
      setInterval(() => undefined, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const pid = await new Promise<string>((resolve) =>
      parent.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())),
    )
    expect(isRunning(pid)).toBe(true)
    parent.kill('SIGKILL')
    await waitFor('the child ends', 10_000, async () => !isRunning(pid))
  })
})

/** False for a zombie too: its parent is gone and nobody may be there to reap it. */
function isRunning(pid: string): boolean {
  const stat = `/proc/${pid}/stat`
  if (existsSync('/proc/self/stat')) return existsSync(stat) && !readFileSync(stat, 'utf8').includes(') Z ')
  return spawnSync('kill', ['-0', pid]).status === 0
}
