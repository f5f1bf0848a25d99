import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { cacheFolder } from './cache-folder.ts'
import { freePorts } from './free-port.ts'
import { withLock } from './lock.ts'
import { findProgram, runCommand } from './run-command.ts'
import { spawnTied, type TiedProcess } from './tied-process.ts'
import { waitFor } from './wait-for.ts'

const VERSION = 'v1.8.0'
const STARTS_WITHIN_MS = 15_000

export interface S3Bed {
  readonly endpoint: string
  readonly accessKey: string
  readonly secretKey: string
  /** Where the objects of a bucket lie as files, for readers that are not clients of S3. */
  folderOf(bucket: string): string
  /** What was asked of it since it started first, a line for each request, as S3's own logs of access have them. */
  accessLog(): readonly string[]
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Why an S3 server can not run here, or undefined. */
export function s3BedMissing(): string | undefined {
  if (process.platform !== 'linux') return 'the S3 server of the tests was tried on Linux only'
  return findProgram('go') === undefined ? 'no go on the PATH, which builds the S3 server' : undefined
}

/** Builds versitygw unless it is in the cache; gives the path of the program. */
export async function fetchS3(): Promise<string> {
  const home = join(cacheFolder('s3'), VERSION)
  return withLock('s3', home, async () => {
    const program = join(home, 'versitygw')
    if (existsSync(program)) return program
    const fresh = `${home}.part`
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(fresh, { recursive: true })
    await runCommand(findProgram('go') ?? 'go', ['install', `github.com/versity/versitygw/cmd/versitygw@${VERSION}`], {
      bed: 's3',
      doing: 'building the S3 server versitygw (about 3 min)',
      env: { ...process.env, GOBIN: fresh },
      nice: 10,
    })
    renameSync(fresh, home)
    return program
  })
}

/** Starts versitygw, which serves the folders below `dir` as buckets and ends with this process. */
export async function startS3(options: { dir: string; buckets: readonly string[] }): Promise<S3Bed> {
  const program = await fetchS3()
  const dir = resolve(options.dir)
  const data = join(dir, 'data')
  for (const bucket of options.buckets) mkdirSync(join(data, bucket), { recursive: true })
  const [port = 0] = await freePorts(1)
  const endpoint = `http://127.0.0.1:${port}`
  const [accessKey, secretKey] = ['bedkey', 'bedsecret123']
  const env = { ...process.env, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey }
  const accessLog = join(dir, 'access.log')
  let server: TiedProcess | undefined
  const start = async (): Promise<void> => {
    server = await spawnTied(
      program,
      ['--port', `127.0.0.1:${port}`, '--quiet', '--access-log', accessLog, 'posix', data],
      {
        log: join(dir, 'versitygw.log'),
        env,
        cwd: dir,
      },
    )
    await waitFor(
      'versitygw answers',
      STARTS_WITHIN_MS,
      () => answers(endpoint),
      () => server?.logTail() ?? '',
    )
  }
  await start()
  return {
    endpoint,
    accessKey,
    secretKey,
    folderOf: (bucket) => join(data, bucket),
    accessLog: () => readFileSync(accessLog, 'utf8').trimEnd().split('\n'),
    kill: async () => server?.kill(),
    start,
    stop: async () => server?.stop(5000),
  }
}

/** Any answer will do: without a signature it is a refusal. */
async function answers(endpoint: string): Promise<boolean> {
  try {
    await (await fetch(endpoint, { signal: AbortSignal.timeout(2000) })).text()
    return true
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}
