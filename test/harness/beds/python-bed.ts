import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cacheFolder, hashOfFiles } from './cache-folder.ts'
import { withLock } from './lock.ts'
import { formatDuration, say } from './progress.ts'
import { findProgram, runCommand } from './run-command.ts'

const SOURCES = join(import.meta.dirname, 'python')

/** Packages that are fetched together: the judges of data, Jupyter, and Spark. */
export type PythonPackages = keyof typeof PACKAGES

const PACKAGES = {
  data: {
    requirements: 'requirements.txt',
    doing: 'pyarrow, deltalake, fastavro, nats-py and pulsar-client',
    size: '120 MB, about 15 s',
  },
  jupyter: {
    requirements: 'jupyter-requirements.txt',
    doing: 'nbclient and jupyter_client',
    size: '30 MB, about 10 s',
  },
  spark: {
    requirements: 'spark-requirements.txt',
    doing: 'pyspark',
    size: '420 MB, about 30 s',
  },
} as const

/** Why Python's libraries can not judge here, or undefined. */
export function pythonBedMissing(): string | undefined {
  return findProgram('python3') === undefined ? 'no python3 on the PATH (3.10 or newer with venv and pip)' : undefined
}

/**
 * Fetches packages (pyarrow, deltalake, which is delta-rs, fastavro, nats-py and pulsar-client; Jupyter's clients; or Spark) into a
 * virtual environment under the cache folder unless they are there; gives the path of its Python.
 */
export function fetchPython(packages: PythonPackages): Promise<string> {
  const { doing, size } = PACKAGES[packages]
  const requirements = join(SOURCES, PACKAGES[packages].requirements)
  const home = cacheFolder('python', hashOfFiles(SOURCES, [requirements]))
  const venv = join(home, 'venv')
  const python = join(venv, 'bin', 'python')
  const marker = join(home, 'complete')
  return withLock('python', home, async () => {
    if (existsSync(marker) && existsSync(python) && readFileSync(marker, 'utf8') === venv) return python
    const started = Date.now()
    say('python', `fetching ${doing} with pip into ${home} (${size})`)
    rmSync(venv, { recursive: true, force: true })
    await runCommand('python3', ['-m', 'venv', venv], { bed: 'python', doing: 'making a virtual environment' })
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]
    await runCommand(python, install, { bed: 'python', doing: 'fetching packages' })
    writeFileSync(marker, venv)
    say('python', `fetched in ${formatDuration(Date.now() - started)}`)
    return python
  })
}

/** Runs a script of `test/harness/beds/python` and gives the JSON of each line that it writes into its first file. */
export async function runPython(
  script: string,
  args: readonly string[],
  { packages = 'data', env: further = {} }: { packages?: PythonPackages; env?: NodeJS.ProcessEnv } = {},
): Promise<unknown[]> {
  const python = await fetchPython(packages)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-python-'))
  const result = join(folder, 'result')
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1', ...further }
  try {
    await runCommand(python, [join(SOURCES, script), result, ...args], { bed: 'python', doing: script, env })
    return readFileSync(result, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
