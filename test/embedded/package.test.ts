import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Dealer } from 'zeromq'
import { nextAnswer, requestFrames, writeConnection } from '../harness/kernel-client.ts'
import { until } from '../harness/until.ts'

const ROOT = join(import.meta.dirname, '..', '..')

const JOB = `import { file, job, print, stream } from 'millrace'

const rows = stream('in', file({ path: 'in.jsonl', format: 'json' }), { schema: { n: 'long' } })
const doubled = rows.map('doubled', { n: 'long' }, (row) => ({ n: row.n * 2 }))
export default job({ name: 'numbers', sinks: [doubled.sink('out', print())] })
`

describe('the npm package in an empty project', () => {
  const project = mkdtempSync(join(tmpdir(), 'millrace-project-'))
  /** Standard output of a command in the project. */
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

  beforeAll(() => {
    execFileSync('npm', ['run', '--silent', 'package', '--', '--pack-destination', project], {
      cwd: ROOT,
      stdio: 'pipe',
    })
    const [tarball = ''] = readdirSync(project).filter((name) => name.endsWith('.tgz'))
    run('npm', 'init', '-y')
    run('npm', 'install', '--prefer-offline', `./${tarball}`)
    writeFileSync(join(project, 'job.ts'), JOB)
    writeFileSync(join(project, 'in.jsonl'), '{"n":1}\n{"n":21}\n')
  })
  afterAll(() => {
    rmSync(project, { recursive: true, force: true })
  })

  test('npx millrace run runs a job in TypeScript that imports from millrace', () => {
    expect(run('npx', 'millrace', 'run', 'job.ts').trim().split('\n').sort()).toEqual(['{"n":2}', '{"n":42}'])
  })

  test('npx millrace kernel install lets a kernel start that runs the job in a cell', async () => {
    run('npx', 'millrace', 'kernel', 'install', '--prefix', project)
    const spec = readFileSync(join(project, 'share/jupyter/kernels/millrace/kernel.json'), 'utf8')
    const { file, shell } = await writeConnection(project)
    const [node = '', ...args] = (JSON.parse(spec) as { argv: string[] }).argv.map((one) =>
      one.replace('{connection_file}', file),
    )
    const kernel = spawn(node, args, { cwd: project, stdio: 'ignore' })
    const client = new Dealer({ linger: 0 })
    client.connect(`tcp://127.0.0.1:${shell}`)
    for (const [id, code] of [
      ['right', JOB],
      ['wrong', JOB.replace('row.n * 2', 'row.n *')],
    ] as const)
      await client.send(requestFrames(id, { type: 'execute_request', content: { code, stop_on_error: false } }))
    expect(await nextAnswer(client)).toMatchObject({ id: 'right', content: { status: 'ok' } })
    expect(await nextAnswer(client)).toMatchObject({ id: 'wrong', content: { ename: 'MODULE_SYNTAX' } })
    await client.send(requestFrames('end', { type: 'shutdown_request' }))
    expect(await nextAnswer(client)).toMatchObject({ id: 'end', content: { status: 'ok' } })
    client.close()
    expect(await until('the kernel has ended', () => kernel.exitCode ?? undefined)).toBe(0)
  })

  test('the types of the API are there: a job that holds it wrong does not compile', () => {
    const tsc = (file: string): string =>
      run(
        process.execPath,
        join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
        ...[
          '--noEmit',
          '--strict',
          '--skipLibCheck',
          '--types',
          '',
          '--module',
          'nodenext',
          '--target',
          'esnext',
          file,
        ],
      )
    expect(tsc('job.ts')).toBe('')
    writeFileSync(join(project, 'wrong.ts'), JOB.replace('row.n * 2', 'row.m * 2'))
    expect(() => tsc('wrong.ts')).toThrow(
      expect.objectContaining({ stdout: expect.stringContaining("'m'") as unknown }),
    )
  })

  test('npx millrace lint checks the types of a job against those of the package', () => {
    mkdirSync(join(project, 'node_modules', 'typescript'))
    cpSync(join(ROOT, 'node_modules', 'typescript'), join(project, 'node_modules', 'typescript'), { recursive: true })
    cpSync(join(ROOT, 'node_modules', '@typescript'), join(project, 'node_modules', '@typescript'), { recursive: true })
    expect(run('npx', 'millrace', 'lint', '--type-check', 'job.ts')).toBe('')
    writeFileSync(join(project, 'wrong.ts'), JOB.replace('row.n * 2', 'row.m * 2'))
    expect(() => run('npx', 'millrace', 'lint', '--type-check', 'wrong.ts')).toThrow(
      expect.objectContaining({ stdout: expect.stringMatching(/^wrong\.ts:4:\d+ error TS2339 /) as unknown }),
    )
  })

  test('it holds no tests and no sources', () => {
    const files = run('find', 'node_modules/millrace', '-type', 'f').trim().split('\n')
    expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([])
    expect(files.filter((file) => /millrace\/(package\/)?(test|bench)\//.test(file))).toEqual([])
  })
})
