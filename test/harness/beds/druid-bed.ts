import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { cacheFolder, hashOfFiles } from './cache-folder.ts'
import { freePorts } from './free-port.ts'
import { withLock } from './lock.ts'
import { fetchJars, javaMissing } from './maven.ts'
import { runCommand } from './run-command.ts'
import { spawnTied } from './tied-process.ts'
import type { TiedProcess } from './tied-process.ts'
import { bodyIfOk, waitFor } from './wait-for.ts'

const SOURCES = join(import.meta.dirname, 'druid')
const POM = join(SOURCES, 'pom.xml')
const LAUNCHER = join(SOURCES, 'OneJvm.java')
const ROLES = ['coordinator', 'broker', 'historical', 'indexer', 'router'] as const
// what Druid 33 reaches into, as its own start scripts open it
const OPENS = [
  '--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED',
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/java.nio=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/java.io=ALL-UNNAMED',
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED',
]

export interface DruidOptions {
  /**
   * Where its data, configuration and log go. An earlier Druid's folder may be given: its datasources are still
   * there.
   */
  readonly dir: string
  /** The address its ports are bound to; loopback when left out, the bridge's address for pods of the cluster ring. */
  readonly host?: string
  readonly heap?: string
}

export interface DruidBed {
  /** Forwards to all others; what a user of Druid talks to. */
  readonly routerUrl: string
  /** Coordinator and Overlord are one role here: `/druid/coordinator/...` and `/druid/indexer/...`. */
  readonly overlordUrl: string
  /** Answers SQL and native queries. */
  readonly brokerUrl: string
  /** Ends it. Druid in one JVM never ends by itself, so this is SIGKILL; its state survives that. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it again on the same ports and data. */
  restart(): Promise<void>
}

/** Why a real Druid can not run here, or undefined. */
export const druidBedMissing = javaMissing

/** Fetches Druid 33.0.0 and compiles its launcher unless both are in the cache; gives the class path. */
export async function fetchDruid(): Promise<string> {
  const jars = await fetchJars('druid', POM, '192 MB, about 30 s')
  const classes = cacheFolder('maven', `druid-launcher-${hashOfFiles(SOURCES, [POM, LAUNCHER])}`)
  await withLock('druid', classes, async () => {
    const done = join(classes, 'complete')
    if (existsSync(done)) return
    await runCommand('javac', ['-d', classes, '-cp', `${jars}/*`, LAUNCHER], {
      bed: 'druid',
      doing: 'compiling the launcher',
    })
    writeFileSync(done, '')
  })
  return `${classes}:${jars}/*`
}

/**
 * Starts a real Druid 33.0.0: coordinator with overlord, broker, historical, indexer and router, a ZooKeeper and
 * Derby in one JVM of 1.5 GB heap. Ready after 13 to 30 s. It ends with this process at the latest. Supervisors
 * tell it themselves where Kafka is. `taskDuration` must be PT1M or more: less kills every task of Druid 33.
 */
export async function startDruid(options: DruidOptions): Promise<DruidBed> {
  const classPath = await fetchDruid()
  const dir = resolve(options.dir)
  const host = options.host ?? '127.0.0.1'
  const ports = await choosePorts()
  const configuration = writeConfiguration(dir, host, ports)
  const data = join(dir, 'var')
  const java = [
    ...OPENS,
    '-XX:+UseSerialGC',
    '-XX:+ExitOnOutOfMemoryError',
    '-Duser.timezone=UTC',
    '-Dfile.encoding=UTF-8',
    '-Djava.util.logging.manager=org.apache.logging.log4j.jul.LogManager',
    `-Djava.io.tmpdir=${join(data, 'tmp')}`,
    `-Dderby.stream.error.file=${join(data, 'derby.log')}`,
    `-Dlog4j2.configurationFile=${join(configuration, 'log4j2.xml')}`,
    '-Xms256m',
    `-Xmx${options.heap ?? '1536m'}`,
    '-XX:MaxDirectMemorySize=768m',
    `-Dzk.port=${ports.zookeeper}`,
    `-Dzk.dir=${join(data, 'zk')}`,
    '-cp',
    classPath,
    'OneJvm',
    configuration,
    ROLES.join(','),
  ]
  const url = (port: number): string => `http://${host}:${port}`
  const start = async (): Promise<TiedProcess> => {
    const druid = await spawnTied('java', java, { log: join(dir, 'druid.log') })
    await waitFor('all roles of Druid are ready', 240_000, () => isReady(druid, url, ports), druid.logTail)
    return druid
  }
  let druid = await start()
  return {
    routerUrl: url(ports.router),
    overlordUrl: url(ports.coordinator),
    brokerUrl: url(ports.broker),
    stop: () => druid.kill(),
    kill: () => druid.kill(),
    async restart() {
      if (!druid.hasExited()) await druid.kill()
      druid = await start()
    },
  }
}

type Ports = Readonly<Record<(typeof ROLES)[number] | 'zookeeper' | 'derby', number>>

async function choosePorts(): Promise<Ports> {
  const [coordinator = 0, broker = 0, historical = 0, indexer = 0, router = 0, zookeeper = 0, derby = 0] =
    await freePorts(7)
  return { coordinator, broker, historical, indexer, router, zookeeper, derby }
}

/** Fills the templates of conf/ and makes the folders they name; gives the folder of the filled ones. */
function writeConfiguration(dir: string, host: string, ports: Ports): string {
  const data = join(dir, 'var')
  const configuration = join(dir, 'conf')
  for (const folder of [
    'segments',
    'indexing-logs',
    'segment-cache',
    'task',
    ...ROLES.map((role) => join('tmp', role)),
  ]) {
    mkdirSync(join(data, folder), { recursive: true })
  }
  mkdirSync(configuration, { recursive: true })
  const values = new Map([
    ['@VAR@', data],
    ['@HOST@', host],
    ['@ZK_PORT@', String(ports.zookeeper)],
    ['@DERBY_PORT@', String(ports.derby)],
    ...ROLES.map((role) => [`@${role.toUpperCase()}_PORT@`, String(ports[role])] as const),
  ])
  const templates = join(SOURCES, 'conf')
  for (const name of readdirSync(templates)) {
    const text = readFileSync(join(templates, name), 'utf8')
    writeFileSync(
      join(configuration, name),
      text.replace(/@[A-Z_]+@/g, (key) => values.get(key) ?? key),
    )
  }
  return configuration
}

/** Every role asked from outside: leaders elected, a worker listed, broker and historical loaded, router forwarding. */
async function isReady(druid: TiedProcess, url: (port: number) => string, ports: Ports): Promise<boolean> {
  if (druid.hasExited()) {
    throw new Error(`Druid ended while starting (${await druid.exited}); the end of its log:\n${druid.logTail()}`)
  }
  const questions: readonly (readonly [string, (body: string) => boolean])[] = [
    [`${url(ports.coordinator)}/druid/coordinator/v1/isLeader`, () => true],
    [`${url(ports.coordinator)}/druid/indexer/v1/isLeader`, () => true],
    [`${url(ports.coordinator)}/druid/indexer/v1/workers`, (body) => body.includes('"host"')],
    [`${url(ports.broker)}/druid/broker/v1/readiness`, () => true],
    [`${url(ports.historical)}/druid/historical/v1/readiness`, () => true],
    [`${url(ports.router)}/proxy/enabled`, (body) => body.includes('true')],
  ]
  for (const [address, accept] of questions) {
    const body = await bodyIfOk(address)
    if (body === undefined || !accept(body)) return false
  }
  return true
}
