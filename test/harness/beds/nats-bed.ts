import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { cacheFolder } from './cache-folder.ts'
import { freePorts } from './free-port.ts'
import { withLock } from './lock.ts'
import { findProgram, runCommand } from './run-command.ts'
import { spawnTied, type TiedProcess } from './tied-process.ts'
import { waitFor } from './wait-for.ts'

const VERSION = 'v2.15.2'
const STARTS_WITHIN_MS = 15_000

export interface NatsOptions {
  /** Where its data, configuration and log go. */
  readonly dir: string
  /** Further lines of its configuration, such as users. */
  readonly configuration?: string
}

export interface NatsBed {
  /** host:port on loopback. */
  readonly address: string
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it again on the same port and data, perhaps with other lines of configuration. */
  start(configuration?: string): Promise<void>
  stop(): Promise<void>
}

/** Why a NATS server can not run here, or undefined. */
export function natsBedMissing(): string | undefined {
  return findProgram('go') === undefined ? 'no go on the PATH, which builds the NATS server' : undefined
}

/** Builds nats-server unless it is in the cache; gives the path of the program. */
export async function fetchNats(): Promise<string> {
  const home = join(cacheFolder('nats'), VERSION)
  return withLock('nats', home, async () => {
    const program = join(home, 'nats-server')
    if (existsSync(program)) return program
    const fresh = `${home}.part`
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(fresh, { recursive: true })
    await runCommand(findProgram('go') ?? 'go', ['install', `github.com/nats-io/nats-server/v2@${VERSION}`], {
      bed: 'nats',
      doing: 'building the NATS server (about 1 min)',
      env: { ...process.env, GOBIN: fresh },
      nice: 10,
    })
    renameSync(fresh, home)
    return program
  })
}

/** Starts a NATS server with JetStream, which ends with this process. */
export async function startNats(options: NatsOptions): Promise<NatsBed> {
  const program = await fetchNats()
  const dir = resolve(options.dir)
  mkdirSync(dir, { recursive: true })
  const [port = 0] = await freePorts(1)
  const file = join(dir, 'nats.conf')
  let server: TiedProcess | undefined
  const start = async (configuration = options.configuration ?? ''): Promise<void> => {
    writeFileSync(
      file,
      `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(join(dir, 'data'))} }\n${configuration}\n`,
    )
    const started = await spawnTied(program, ['--config', file], { log: join(dir, 'nats.log'), cwd: dir })
    server = started
    await waitFor(
      'the NATS server is ready',
      STARTS_WITHIN_MS,
      async () => started.logTail().includes('Server is ready'),
      started.logTail,
    )
  }
  await start()
  return {
    address: `127.0.0.1:${port}`,
    kill: async () => server?.kill(),
    start,
    stop: async () => server?.stop(5000),
  }
}
