import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MillraceError } from '../runtime/model/errors.ts'

const FILE = 'dev.pid'

/**
 * Takes the folder for this process, so that no two clusters run the same jobs; returns what gives it back. A process
 * that was killed leaves its file behind, which the next one takes over. Throws DEV_RUNS_ALREADY.
 */
export function lockFolder(dir: string): () => void {
  const path = join(dir, FILE)
  mkdirSync(dir, { recursive: true })
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error
    }
    const holder = Number(readFileSync(path, 'utf8'))
    if (isAlive(holder))
      throw new MillraceError('DEV_RUNS_ALREADY', `process ${holder} serves ${dir} already`, {
        domain: 'user',
        hint: `Apply jobs to it with KUBECONFIG=${join(dir, 'kubeconfig')}, end it, or start in another folder. If process ${holder} is no millrace, delete ${path}.`,
      })
    rmSync(path, { force: true })
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return isCode(error, 'EPERM')
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
