import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

let built: string | undefined

/**
 * The benchmarks' worker as the image would hold it: bundle and cache, made once per run of the benchmarks. Returns
 * the path of its entry.
 */
export function workerBundle(): string {
  if (built !== undefined) return built
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-bundle-'))
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true })
  })
  const root = join(import.meta.dirname, '..')
  execFileSync(
    process.execPath,
    [join(root, 'scripts', 'bundle.ts'), '--out', folder, '--runtime', join(root, 'bench', 'worker.ts')],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  built = join(folder, 'app', 'main.mjs')
  return built
}
