import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePorts } from './free-port.ts'
import { fetchJars, javaMissing } from './maven.ts'
import { spawnTied, type TiedProcess } from './tied-process.ts'
import { waitFor } from './wait-for.ts'

const SOURCES = join(import.meta.dirname, 'cassandra')

// what Cassandra 5 reaches into, as its own jvm17-server.options opens it
const EXPORTS = [
  'java.base/jdk.internal.misc',
  'java.management/com.sun.jmx.remote.security',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
  'java.base/java.lang.ref',
  'java.base/jdk.internal.ref',
  'java.base/sun.nio.ch',
  'java.rmi/sun.rmi.transport.tcp',
]
const OPENS = [
  'java.base/java.lang.module',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.util.jar',
  'java.base/sun.nio.ch',
  'java.base/java.io',
  'java.base/java.lang',
  'java.base/java.util',
  'java.base/java.nio',
  'java.base/java.util.concurrent',
  'java.base/java.util.concurrent.atomic',
  'java.base/java.lang.reflect',
  'java.base/java.net',
  'jdk.management/com.sun.management.internal',
]

export interface CassandraOptions {
  /** Where its data, configuration and log go. */
  readonly dir: string
  /** Clients must log in; the first user is cassandra with the password cassandra. */
  readonly asksForPasswords?: boolean
  /** PEM: clients come encrypted, with a certificate that this one has signed, which the server shows, too. */
  readonly secure?: { readonly key: string; readonly certificate: string }
}

export interface CassandraBed {
  /** host:port on loopback. */
  readonly address: string
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it again on the same ports and data. */
  restart(): Promise<void>
}

/** Why a real Cassandra can not run here, or undefined. */
export const cassandraBedMissing = javaMissing

/** Fetches Cassandra 5.0.6 unless it is in the cache; gives the folder of its jars. */
export function fetchCassandra(): Promise<string> {
  return fetchJars('cassandra', join(SOURCES, 'pom.xml'), '66 MB, about 20 s')
}

/** Starts a real Cassandra 5.0.6, one node of 512 MB heap, in about 20 s. It ends with this process at the latest. */
export async function startCassandra(options: CassandraOptions): Promise<CassandraBed> {
  const jars = await fetchCassandra()
  const dir = resolve(options.dir)
  mkdirSync(dir, { recursive: true })
  const [port = 0, storagePort = 0, sslPort = 0, jmxPort = 0] = await freePorts(4)
  const configuration = join(dir, 'cassandra.yaml')
  const isSecure = options.asksForPasswords === true
  writeFileSync(
    configuration,
    readFileSync(join(SOURCES, 'cassandra.yaml.tmpl'), 'utf8')
      .replaceAll('@STORAGE_PORT@', String(storagePort))
      .replaceAll('@SSL_PORT@', String(sslPort))
      .replaceAll('@PORT@', String(port))
      .concat(options.secure === undefined ? '' : encryptionOf(options.secure, dir))
      .replaceAll('@AUTHENTICATOR@', isSecure ? 'PasswordAuthenticator' : 'AllowAllAuthenticator')
      .replaceAll('@AUTHORIZER@', isSecure ? 'CassandraAuthorizer' : 'AllowAllAuthorizer'),
  )
  const agent = readdirSync(jars).find((name) => /^jamm-.*\.jar$/.test(name)) ?? ''
  const java = [
    '-Xms512m',
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:+ExitOnOutOfMemoryError',
    ...EXPORTS.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
    ...OPENS.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
    '-Djdk.attach.allowAttachSelf=true',
    `-javaagent:${join(jars, agent)}`,
    `-Dcassandra.config=file://${configuration}`,
    `-Dcassandra.storagedir=${join(dir, 'data')}`,
    '-Dcassandra-foreground=yes',
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.ring_delay_ms=0',
    '-Dcassandra.superuser_setup_delay_ms=0',
    `-Dcassandra.jmx.local.port=${jmxPort}`,
    '-cp',
    `${jars}/*`,
    'org.apache.cassandra.service.CassandraDaemon',
  ]
  const log = join(dir, 'cassandra.log')
  let hasUser = !isSecure
  const start = async (): Promise<TiedProcess> => {
    const server = await spawnTied('java', java, { log, cwd: dir })
    const isUp = async (): Promise<boolean> => {
      if (server.hasExited())
        throw new Error(`Cassandra ended while starting (${await server.exited}):\n${server.logTail()}`)
      const written = readFileSync(log, 'utf8')
      hasUser ||= written.includes('Created default superuser')
      return hasUser && written.includes('Startup complete')
    }
    await waitFor('Cassandra has started', 180_000, isUp, server.logTail)
    return server
  }
  let server = await start()
  return {
    address: `127.0.0.1:${port}`,
    stop: () => server.stop(30_000),
    kill: () => server.kill(),
    async restart() {
      if (!server.hasExited()) await server.stop(30_000)
      server = await start()
    },
  }
}

function encryptionOf({ key, certificate }: NonNullable<CassandraOptions['secure']>, dir: string): string {
  const [store, trusted] = [join(dir, 'store.pem'), join(dir, 'trusted.pem')]
  writeFileSync(store, `${key.trim()}\n${certificate.trim()}\n`, { mode: 0o600 })
  writeFileSync(trusted, certificate)
  return `client_encryption_options:
  enabled: true
  optional: false
  require_client_auth: true
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
  keystore: ${store}
  truststore: ${trusted}
`
}
