import { createHmac } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePorts } from './free-port.ts'
import { fetchJars, javaMissing } from './maven.ts'
import { runCommand } from './run-command.ts'
import { spawnTied, type TiedProcess } from './tied-process.ts'
import { waitFor } from './wait-for.ts'

const SOURCES = join(import.meta.dirname, 'pulsar')
const STARTS_WITHIN_MS = 120_000
const STOPS_WITHIN_MS = 20_000
const CALL_MS = 30_000
const LONG_S = 86_400

// as bin/pulsar opens them for Java 17
const OPENS = [
  'java.base/java.io',
  'java.base/java.util.zip',
  'java.base/java.lang',
  'java.base/java.nio',
  'java.base/sun.net',
  'java.base/jdk.internal.platform',
  'java.base/jdk.internal.loader',
  'java.base/sun.nio.ch',
  'java.management/sun.management',
  'jdk.management/com.sun.management.internal',
]

export interface PulsarOptions {
  /** Where its data, configuration and log go. */
  readonly dir: string
  /** Whether brokers drop messages whose sequence id they have stored already. */
  readonly deduplication: 'on' | 'off'
  /** Brokers want a token and speak TLS beside plain TCP. */
  readonly secure?: PulsarSecurity
  /** Settings of the broker beside those of the bed, by name. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface PulsarSecurity {
  /** PEM; the certificate names 127.0.0.1. */
  readonly key: string
  readonly certificate: string
  /** Signs tokens (HS256). */
  readonly tokenKey: Buffer
}

export interface PulsarBed {
  readonly serviceUrl: string
  /** With TLS, where `secure` was given. */
  readonly secureServiceUrl: string
  /** A token of that many seconds. */
  token(seconds: number): string
  /** The address of its admin API. */
  readonly webUrl: string
  /** Makes a topic of the namespace public/default; with 0 partitions it is a single one. Gives its full name. */
  createTopic(name: string, partitions: number): Promise<string>
  /** Calls the admin API; `path` is behind /admin/v2/. Gives the body, and throws unless the answer is 2xx. */
  admin(method: string, path: string, body?: unknown): Promise<string>
  /** Writes a message for each key with Pulsar's own client for Java, which chooses the partitions. */
  writeKeys(topic: string, hashing: 'JavaStringHash' | 'Murmur3_32Hash', keys: readonly string[]): Promise<void>
  /** SIGKILL; its session has ended in the metadata store when this resolves. */
  kill(): Promise<void>
  /** Starts it again on the same ports and data. */
  launch(): Promise<void>
  stop(): Promise<void>
}

/** Why a real Pulsar can not run here, or undefined. */
export const pulsarBedMissing = javaMissing

/** Fetches Pulsar 3.0.7 unless it is in the cache; gives the folder of its jars. */
export function fetchPulsar(): Promise<string> {
  return fetchJars('pulsar', join(SOURCES, 'pom.xml'), '200 MB, about 45 s', 'newer')
}

/** Starts a standalone Pulsar 3.0.7 (broker, bookie and metadata in one JVM). It ends with this process at the latest. */
export async function startPulsar(options: PulsarOptions): Promise<PulsarBed> {
  const jars = await fetchPulsar()
  const dir = resolve(options.dir)
  mkdirSync(dir, { recursive: true })
  const [brokerPort, webPort, bookiePort, tlsPort] = await freePorts(4)
  const webUrl = `http://127.0.0.1:${webPort}`
  const token = (seconds: number): string =>
    options.secure === undefined ? '' : tokenOf(options.secure.tokenKey, Math.floor(Date.now() / 1000) + seconds)
  const settings = {
    ...options.settings,
    ...(options.secure === undefined ? {} : securityOf(options.secure, dir, tlsPort ?? 0, token(LONG_S))),
  }
  const more = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  writeFileSync(
    join(dir, 'standalone.conf'),
    readFileSync(join(SOURCES, 'standalone.conf.tmpl'), 'utf8')
      .replace('@brokerPort@', String(brokerPort))
      .replace('@webPort@', String(webPort))
      .replace('@deduplication@', String(options.deduplication === 'on'))
      .replace('@more@', more.join('\n')),
  )
  const java = [
    '-Xmx512m',
    '-XX:MaxDirectMemorySize=512m',
    '-XX:+UseSerialGC',
    ...OPENS.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
    '--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED',
    '-Dio.netty.tryReflectionSetAccessible=true',
    '-cp',
    `${jars}/*`,
    'org.apache.pulsar.PulsarStandaloneStarter',
    ...['--config', 'standalone.conf', '--no-functions-worker', '--no-stream-storage'],
    ...['--metadata-dir', 'meta', '--bookkeeper-dir', 'bk', '--bookkeeper-port', String(bookiePort)],
  ]
  const admin = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await fetch(`${webUrl}/admin/v2/${path}`, {
      method,
      signal: AbortSignal.timeout(CALL_MS),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token(LONG_S)}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text
  }
  const runJava = async (program: string, args: readonly string[], doing: string): Promise<void> => {
    const command = ['-Xmx128m', '-Dfile.encoding=UTF-8', '-cp', `${jars}/*`, join(SOURCES, program), ...args]
    await runCommand('java', command, { bed: 'pulsar', doing, env: { ...process.env, LC_ALL: 'C.UTF-8' } })
  }
  let running: TiedProcess | undefined
  const launch = async (): Promise<void> => {
    const started = await spawnTied('java', java, { log: join(dir, 'pulsar.log'), cwd: dir })
    running = started
    await waitFor(
      'Pulsar serves',
      STARTS_WITHIN_MS,
      async () => {
        if (started.hasExited()) throw new Error(`Pulsar ended while starting:\n${started.logTail()}`)
        const namespaces = await admin('GET', 'namespaces/public').catch(() => '')
        return namespaces.includes('public/default')
      },
      () => started.logTail(),
    )
  }
  await launch()
  const serviceUrl = `pulsar://127.0.0.1:${brokerPort}`
  return {
    serviceUrl,
    secureServiceUrl: `pulsar+ssl://127.0.0.1:${tlsPort}`,
    token,
    webUrl,
    async createTopic(name, partitions) {
      const path = `persistent/public/default/${encodeURIComponent(name)}`
      await whileUnavailable(() =>
        partitions === 0 ? admin('PUT', path) : admin('PUT', `${path}/partitions`, partitions),
      )
      return `persistent://public/default/${name}`
    },
    admin,
    async writeKeys(topic, hashing, keys) {
      await runJava('Keys.java', [serviceUrl, topic, hashing, ...keys], 'writing keys')
    },
    async kill() {
      await running?.kill()
      // its session never ends in the metadata store of a standalone Pulsar: the next bookie may take and lose the lock of
      // this one for ever, and no ledger can be made
      await runJava('ForgetBookie.java', [join(dir, 'meta')], 'forgetting the killed bookie')
    },
    launch,
    stop: async () => running?.stop(STOPS_WITHIN_MS),
  }
}

/**
 * Right after a restart no bookie is known ("Not enough non-faulty bookies"), and right after it was deleted a topic is
 * still known (409).
 */
async function whileUnavailable(call: () => Promise<string>): Promise<void> {
  let failure: unknown
  await waitFor(
    'Pulsar makes a topic',
    STARTS_WITHIN_MS,
    async () => {
      try {
        await call()
        return true
      } catch (error) {
        failure = error
        if (error instanceof Error && /non-faulty bookies|: 409 /.test(error.message)) return false
        throw error
      }
    },
    () => String(failure),
  )
}

function securityOf(
  { key, certificate, tokenKey }: PulsarSecurity,
  dir: string,
  tlsPort: number,
  token: string,
): Readonly<Record<string, string>> {
  const keyFile = join(dir, 'key.pem')
  const certificateFile = join(dir, 'certificate.pem')
  writeFileSync(keyFile, key, { mode: 0o600 })
  writeFileSync(certificateFile, certificate)
  return {
    brokerServicePortTls: String(tlsPort),
    tlsKeyFilePath: keyFile,
    tlsCertificateFilePath: certificateFile,
    authenticationEnabled: 'true',
    authenticationProviders: 'org.apache.pulsar.broker.authentication.AuthenticationProviderToken',
    authenticationRefreshCheckSeconds: '1',
    tokenSecretKey: `data:;base64,${tokenKey.toString('base64')}`,
    brokerClientAuthenticationPlugin: 'org.apache.pulsar.client.impl.auth.AuthenticationToken',
    brokerClientAuthenticationParameters: `token:${token}`,
  }
}

/** A JSON Web Token (RFC 7519) that ends at `exp`, in seconds since 1970. */
function tokenOf(key: Buffer, exp: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'HS256' })}.${part({ sub: 'millrace', exp })}`
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}
