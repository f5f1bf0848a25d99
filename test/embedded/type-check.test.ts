import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
const CLI = join(ROOT, 'cli', 'main.ts')
const JOB = `import { max, file, job, print, stream } from 'millrace'
const rows = stream('in', file({ path: 'in.jsonl', format: 'json' }), { schema: { n: 'long' } })
const text: string = 1
const doubled = rows.map('doubled', { n: 'long' }, (row) => ({ n: row.m * 2 }))
export default job({ name: 'numbers', sinks: [doubled.sink('out', print())] })
`

describe('types of a job', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-types-'))
  const folder = (name: string, has: { config?: object; typescript?: true }): string => {
    const path = join(dir, name)
    mkdirSync(join(path, 'jobs'), { recursive: true })
    writeFileSync(join(path, 'jobs', 'job.ts'), JOB)
    if (has.config) writeFileSync(join(path, 'tsconfig.json'), JSON.stringify(has.config))
    if (has.typescript) {
      mkdirSync(join(path, 'node_modules'))
      symlinkSync(join(ROOT, 'node_modules', 'typescript'), join(path, 'node_modules', 'typescript'))
    }
    return path
  }
  const strict = { compilerOptions: { strict: true, module: 'nodenext', target: 'esnext', noUnusedLocals: true } }
  const all = folder('all', { config: strict, typescript: true })
  const unconfigured = folder('unconfigured', { typescript: true })
  const uninstalled = folder('uninstalled', { config: strict })
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
  })
  const millrace = (cwd: string, ...args: string[]): Promise<{ code: unknown; said: string }> =>
    promisify(execFile)(process.execPath, [CLI, ...args], { cwd }).then(
      ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
      (error: { code: unknown; stdout: string; stderr: string }) => ({
        code: error.code,
        said: error.stdout + error.stderr,
      }),
    )

  test.each([['lint'], ['run'], ['compile']])(
    'are checked by %s where a tsconfig.json lies above it, and all mistakes reported at once',
    async (command) => {
      const { code, said } = await millrace(all, command, 'jobs/job.ts')
      expect(code).toBe(1)
      expect(said.split('\n').filter((line) => line.includes(' error '))).toEqual([
        "jobs/job.ts:3:7 error TS2322 Type 'number' is not assignable to type 'string'.",
        expect.stringMatching(/^jobs\/job\.ts:4:71 error TS2339 Property 'm' does not exist/),
      ])
      expect(readdirSync(all).sort()).toEqual(['jobs', 'node_modules', 'tsconfig.json'])
    },
  )

  test('are not checked with --no-type-check, without a tsconfig.json, or without TypeScript', async () => {
    for (const [cwd, ...options] of [[all, '--no-type-check'], [unconfigured], [uninstalled]] as [
      string,
      ...string[],
    ][])
      expect(await millrace(cwd, 'lint', ...options, 'jobs/job.ts')).toMatchObject({ code: 0 })
  })

  test('are checked with --type-check without a tsconfig.json', async () => {
    const { code, said } = await millrace(unconfigured, 'lint', '--type-check', 'jobs/job.ts')
    expect(code).toBe(1)
    expect(said).toContain('jobs/job.ts:3:7 error TS2322')
  })

  test('cannot be checked with --type-check where TypeScript is not installed, which is said', async () => {
    const { code, said } = await millrace(uninstalled, 'lint', '--type-check', 'jobs/job.ts')
    expect(code).toBe(1)
    expect(said).toBe(
      'millrace: TYPE_CHECK_UNAVAILABLE no TypeScript is installed for jobs/job.ts\n  npm install --save-dev typescript\n',
    )
  })
})
