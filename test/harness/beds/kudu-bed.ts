import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import {
  chmodSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { makeCertificate } from '../../../embedded/credentials.ts'
import { withLock } from './lock.ts'
import { fetchJars, javaMissing } from './maven.ts'
import { runCommand } from './run-command.ts'

const SOURCES = join(import.meta.dirname, 'kudu')
/** Certificates of a mini cluster are short, and its flags experimental: the command line refuses both otherwise. */
const COMMAND_FLAGS = ['--openssl_security_level_override=0', '--unlock_unsafe_flags', '--unlock_experimental_flags']

/** Node refuses the short keys that a mini cluster makes. */
const NODE_KEYS = ['--ipki_server_key_size=2048', '--openssl_security_level_override=0']

export interface KuduOptions {
  /** Where its data and log go. */
  readonly dir: string
  readonly masters?: 1 | 3
  readonly tabletServers?: number
  readonly tabletServerFlags?: readonly string[]
  readonly masterFlags?: readonly string[]
  /**
   * Nobody is served in plain text. The certificates are signed by the cluster itself, as by default of Kudu, or by the
   * authority in `caFile` of the bed, for the addresses of the servers; then `command` reaches masters only.
   */
  readonly encryptedBy?: 'cluster' | 'authority'
}

export interface KuduBed {
  /** host:port of each, separated by commas. */
  readonly masters: string
  readonly tabletServers: readonly KuduDaemon[]
  readonly masterDaemons: readonly KuduDaemon[]
  /** With `encryptedBy: 'authority'`: that authority, PEM. */
  readonly caFile: string
  /** `kudu ARGS` on the command line: what it prints. */
  command(...args: readonly string[]): Promise<string>
  /** Ends all of it and deletes its data. */
  stop(): Promise<void>
}

export interface KuduDaemon {
  readonly address: string
  /** SIGKILL. */
  stop(): Promise<void>
  /** Starts it again on the same port and data. */
  start(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  pause(): Promise<void>
  resume(): Promise<void>
}

/** Why a real Kudu can not run here, or undefined. */
export function kuduBedMissing(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'Kudu is built for Linux on x86-64 only'
  return javaMissing()
}

/** Fetches Kudu 1.18.1 unless it is in the cache; gives the folder with its programs. */
export async function fetchKudu(): Promise<string> {
  const jars = await fetchJars('kudu', join(SOURCES, 'pom.xml'), '36 MB, about 5 s')
  const home = join(jars, '..', 'unpacked')
  return withLock('kudu', home, async () => {
    if (!existsSync(home)) {
      const fresh = `${home}.part`
      rmSync(fresh, { recursive: true, force: true })
      mkdirSync(fresh)
      const [jar = ''] = readdirSync(jars).filter((name) => name.startsWith('kudu-binary'))
      await runCommand('jar', ['xf', join(jars, jar)], { bed: 'kudu', doing: 'unpacking', cwd: fresh })
      const bin = join(fresh, folderIn(fresh), 'bin')
      for (const program of readdirSync(bin)) chmodSync(join(bin, program), 0o755)
      renameSync(fresh, home)
    }
    return join(home, folderIn(home))
  })
}

function folderIn(home: string): string {
  const found = readdirSync(home).find((name) => name.startsWith('kudu-binary'))
  if (found === undefined) throw new Error(`${home} holds no Kudu`)
  return found
}

/** Starts Kudu's own mini cluster (`kudu test mini_cluster`), which ends with this process. */
export async function startKudu(options: KuduOptions): Promise<KuduBed> {
  const home = await fetchKudu()
  const dir = resolve(options.dir)
  mkdirSync(dir, { recursive: true })
  const program = join(home, 'bin', 'kudu')
  // without the path the bundled Kerberos takes parts of the system's, and ends with a symbol lookup error
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: join(home, 'lib'),
    SASL_PATH: join(home, 'lib', 'sasl2'),
    TEST_TMPDIR: dir,
  }
  const shell = spawn(program, ['test', 'mini_cluster'], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  shell.stderr.pipe(createWriteStream(join(dir, 'mini-cluster.log')))
  const ended = new Promise<void>((done) => shell.once('exit', () => done()))
  const answers = createInterface({ input: shell.stdout })[Symbol.asyncIterator]()
  let last = Promise.resolve<unknown>(undefined)
  /** One request after the other, since answers carry no names. */
  const ask = (request: object): Promise<Record<string, unknown>> => {
    const asked = last.then(async () => {
      shell.stdin.write(`${JSON.stringify(request)}\n`)
      const { value, done } = await answers.next()
      if (done === true) throw new Error(`the mini cluster ended; see ${dir}/mini-cluster.log`)
      const answer = JSON.parse(value) as Record<string, unknown>
      if (answer['error'] !== undefined) throw new Error(`${JSON.stringify(request)}: ${value}`)
      return answer
    })
    last = asked.catch(() => undefined)
    return asked
  }
  const numTservers = options.tabletServers ?? 1
  const keyFile = join(dir, 'server-key.pem')
  const caFile = join(dir, 'server.pem')
  const certify = async (...hosts: readonly string[]): Promise<void> => {
    const { key, certificate } = await makeCertificate(hosts)
    writeFileSync(keyFile, key, { mode: 0o600 })
    writeFileSync(caFile, certificate)
  }
  const byAuthority = options.encryptedBy === 'authority'
  if (byAuthority) await certify('127.0.0.1')
  const encryption = options.encryptedBy === undefined ? [] : ['--rpc_encryption=required', ...NODE_KEYS]
  if (byAuthority)
    encryption.push(
      `--rpc_certificate_file=${caFile}`,
      `--rpc_ca_certificate_file=${caFile}`,
      `--rpc_private_key_file=${keyFile}`,
    )
  const extraTserverFlags = [...encryption, ...(options.tabletServerFlags ?? [])]
  const extraMasterFlags = [
    `--default_num_replicas=${numTservers >= 3 ? 3 : 1}`,
    ...encryption,
    ...(options.encryptedBy === undefined ? [] : ['--ipki_ca_key_size=2048']),
    ...(options.masterFlags ?? []),
  ]
  await ask({ createCluster: { numMasters: options.masters ?? 1, numTservers, extraTserverFlags, extraMasterFlags } })
  await ask({ startCluster: {} })
  const daemonsOf = async (request: 'getMasters' | 'getTservers', list: string): Promise<KuduDaemon[]> => {
    const answer = (await ask({ [request]: {} }))[request] as Record<string, Daemon[]>
    return (answer[list] ?? []).map(({ id, boundRpcAddress: { host, port } }) => ({
      address: `${host}:${port}`,
      stop: async () => void (await ask({ stopDaemon: { id } })),
      start: async () => void (await ask({ startDaemon: { id } })),
      pause: async () => void (await ask({ pauseDaemon: { id } })),
      resume: async () => void (await ask({ resumeDaemon: { id } })),
    }))
  }
  const masterDaemons = await daemonsOf('getMasters', 'masters')
  const tabletServers = await daemonsOf('getTservers', 'tservers')
  const daemons = [...masterDaemons, ...tabletServers]
  if (byAuthority) {
    // the addresses are known now, and certificates that name them are read by a start only
    await certify(...daemons.map(({ address }) => address.replace(/:\d+$/, '')))
    for (const daemon of daemons) await daemon.stop()
    for (const daemon of daemons) await daemon.start()
  }
  return {
    caFile,
    masters: masterDaemons.map(({ address }) => address).join(','),
    masterDaemons,
    tabletServers,
    command: async (...args) => {
      const output = await runCommand(program, [...args, ...COMMAND_FLAGS], { bed: 'kudu', doing: args.join(' '), env })
      // its log lines go to the same place
      return output.replaceAll(/^[IWEF]\d{8} .*\n/gm, '')
    },
    async stop() {
      shell.stdin.end()
      await ended
    },
  }
}

interface Daemon {
  id: object
  boundRpcAddress: { host: string; port: number }
}
