import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { freePorts } from './free-port.ts'
import { fetchJars, javaMissing } from './maven.ts'
import { runCommand } from './run-command.ts'
import { spawnTied } from './tied-process.ts'
import type { TiedProcess } from './tied-process.ts'
import { waitFor } from './wait-for.ts'

const SOURCES = join(import.meta.dirname, 'kafka')
// any valid id will do, and a fixed one saves the JVM start that would make one
const CLUSTER_ID = 'AAAAAAAAQACAAAAAAAAAAQ'
const LITTLE_JVM = ['-XX:+UseSerialGC', '-XX:+ExitOnOutOfMemoryError']

export interface KafkaSecurity {
  /** PEM; the certificate names 127.0.0.1. */
  readonly key: string
  readonly certificate: string
  readonly username: string
  readonly password: string
  /** How long a client may go on without authenticating again. */
  readonly sessionMs: number
}

export interface KafkaOptions {
  /** Where its data, configuration and log go. An earlier broker's folder may be given: its topics are still there. */
  readonly dir: string
  /** The port clients connect to; a free one when left out. */
  readonly port?: number
  /** A second address to listen on, for pods of the cluster ring: they can not reach the loopback address. */
  readonly podAddress?: string
  /** A listener with TLS and SASL PLAIN beside the open one, and ACLs: what has none is open to everyone. */
  readonly secure?: KafkaSecurity
  readonly heap?: string
  /** Settings of the broker beside those of the bed, by name. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface KafkaBed {
  /** host:port on loopback. */
  readonly bootstrap: string
  /** host:port for pods, when `podAddress` was given. */
  readonly podBootstrap: string | undefined
  /** host:port on loopback of the secure listener. */
  readonly secureBootstrap: string | undefined
  /** Ends the broker cleanly. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it again on the same port and data after `stop` or `kill`. */
  restart(): Promise<void>
}

/** Why a real Kafka can not run here, or undefined. */
export const kafkaBedMissing = javaMissing

/** Fetches Kafka 4.3.1 unless it is in the cache; gives the folder of its jars. */
export function fetchKafka(): Promise<string> {
  return fetchJars('kafka', join(SOURCES, 'pom.xml'), '54 MB, about 10 s')
}

/** Starts a real Kafka 4.3.1 (KRaft, one JVM, 512 MB heap) that ends with this process at the latest. */
export async function startKafka(options: KafkaOptions): Promise<KafkaBed> {
  const jars = await fetchKafka()
  const dir = resolve(options.dir)
  const data = join(dir, 'data')
  mkdirSync(data, { recursive: true })
  const [anyPort = 0, controllerPort = 0, podPort = 0, securePort = 0] = await freePorts(4)
  const port = options.port ?? anyPort
  const podBootstrap = options.podAddress === undefined ? undefined : `${options.podAddress}:${podPort}`
  const secureBootstrap = options.secure === undefined ? undefined : `127.0.0.1:${securePort}`
  const more = [
    ...(podBootstrap === undefined ? [] : [`PODS://${podBootstrap}`]),
    ...(secureBootstrap === undefined ? [] : [`SECURE://${secureBootstrap}`]),
  ]
  const configuration = join(dir, 'server.properties')
  writeFileSync(
    configuration,
    readFileSync(join(SOURCES, 'server.properties.tmpl'), 'utf8')
      .replaceAll('@CONTROLLER_PORT@', String(controllerPort))
      .replaceAll('@PORT@', String(port))
      .replaceAll('@EXTRA_LISTENER@', more.map((listener) => `,${listener}`).join(''))
      .replaceAll('@SECURITY@', options.secure === undefined ? '' : securityOf(options.secure, dir))
      .replaceAll('@DATA@', data)
      .concat(
        Object.entries(options.settings ?? {})
          .map(([name, value]) => `\n${name}=${value}`)
          .join(''),
      ),
  )
  const classPath = `${SOURCES}:${jars}/*`
  if (!existsSync(join(data, 'meta.properties'))) {
    const format = [
      '-XX:TieredStopAtLevel=1',
      ...LITTLE_JVM,
      '-cp',
      classPath,
      'kafka.tools.StorageTool',
      'format',
      '-t',
      CLUSTER_ID,
      '-c',
      configuration,
    ]
    await runCommand('java', format, { bed: 'kafka', doing: 'formatting its data folder' })
  }
  const java = [
    '-Xms128m',
    `-Xmx${options.heap ?? '512m'}`,
    ...LITTLE_JVM,
    '-cp',
    classPath,
    'kafka.Kafka',
    configuration,
  ]
  const start = async (): Promise<TiedProcess> => {
    const broker = await spawnTied('java', java, { log: join(dir, 'kafka.log') })
    await waitFor('Kafka accepts connections', 120_000, () => isUp(broker, dir, port), broker.logTail)
    return broker
  }
  let broker = await start()
  return {
    bootstrap: `127.0.0.1:${port}`,
    podBootstrap,
    secureBootstrap,
    stop: () => broker.stop(30_000),
    kill: () => broker.kill(),
    async restart() {
      if (!broker.hasExited()) await broker.stop(30_000)
      broker = await start()
    },
  }
}

function securityOf({ key, certificate, username, password, sessionMs }: KafkaSecurity, dir: string): string {
  const store = join(dir, 'broker.pem')
  writeFileSync(store, `${key.trim()}\n${certificate.trim()}\n`, { mode: 0o600 })
  const settings = {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': store,
    'sasl.enabled.mechanisms': 'PLAIN,OAUTHBEARER',
    'connections.max.reauth.ms': String(sessionMs),
    'plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`,
  }
  // Kafka's own check of tokens that are not signed: their owner and their end count
  const tokens =
    'oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
  // rules of access hold for users; whoever comes by the open listener may do all
  const access = [
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users=User:ANONYMOUS',
    'allow.everyone.if.no.acl.found=true',
  ]
  const listener = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  return [...[...listener, tokens].map((setting) => `listener.name.secure.${setting}`), ...access].join('\n')
}

async function isUp(broker: TiedProcess, dir: string, port: number): Promise<boolean> {
  if (broker.hasExited())
    throw new Error(`Kafka ended while starting (${await broker.exited}); the end of its log:\n${broker.logTail()}`)
  return readFileSync(join(dir, 'kafka.log'), 'utf8').includes('Kafka Server started') && (await accepts(port))
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    const settle = (answer: boolean): void => {
      socket.destroy()
      done(answer)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}
