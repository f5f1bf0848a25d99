import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fetchJars, javaMissing } from './maven.ts'
import { runCommand } from './run-command.ts'
import { spawnTied, type TiedProcess } from './tied-process.ts'
import { waitFor } from './wait-for.ts'

const STARTS_WITHIN_MS = 60_000

/** Where an agent has its events from: numbers that it counts, or lines that are appended to files. */
export type FlumeInput =
  | { readonly kind: 'sequence'; readonly events: number }
  | { readonly kind: 'files'; readonly pattern: string }

export interface FlumeAgentOptions {
  /** For its configuration, its channel and its log. */
  readonly dir: string
  readonly input: FlumeInput
  /** A file channel keeps events over the death of the agent. */
  readonly channel: 'memory' | 'file'
  /** The port of the source that its Avro sink sends to. */
  readonly port: number
  readonly batchSize: number
  readonly compression: 'none' | 'deflate'
  /** The PEM certificate that the sink trusts; without it the sink does not encrypt. */
  readonly trusted?: string
}

export interface FlumeAgent {
  /** SIGKILL. */
  kill(): Promise<void>
  /** Starts it again over the same channel. */
  restart(): Promise<void>
  log(): string
}

/** Why a real agent can not run here, or undefined. */
export function flumeBedMissing(): string | undefined {
  return javaMissing()
}

/** The folder of Flume's jars. */
export function fetchFlume(): Promise<string> {
  return fetchJars('flume', join(import.meta.dirname, 'flume', 'pom.xml'), '45 MB, about 30 s')
}

/** Starts an agent that sends, which ends with this process; it runs when this returns. */
export async function startFlumeAgent(options: FlumeAgentOptions): Promise<FlumeAgent> {
  const dir = resolve(options.dir)
  const { trusted } = options
  return startAgent(dir, {
    ...settingsOf(dir, options),
    ...(trusted === undefined ? {} : await trusting(dir, trusted)),
  })
}

const STORE_PASSWORD = 'changeit'

async function trusting(dir: string, certificate: string): Promise<Settings> {
  mkdirSync(dir, { recursive: true })
  const store = join(dir, 'trusted.p12')
  const how = ['-storetype', 'PKCS12', '-storepass', STORE_PASSWORD, '-noprompt']
  await runCommand('keytool', ['-importcert', '-alias', 'source', '-file', certificate, '-keystore', store, ...how], {
    bed: 'flume',
    doing: 'making the store of trusted certificates',
  })
  return {
    'a.sinks.k.ssl': 'true',
    'a.sinks.k.truststore': store,
    'a.sinks.k.truststore-password': STORE_PASSWORD,
    'a.sinks.k.truststore-type': 'PKCS12',
  }
}

async function showing(dir: string, certificate: string, key: string): Promise<Settings> {
  mkdirSync(dir, { recursive: true })
  const store = join(dir, 'shown.p12')
  const how = ['-name', 'source', '-passout', `pass:${STORE_PASSWORD}`]
  await runCommand('openssl', ['pkcs12', '-export', '-in', certificate, '-inkey', key, '-out', store, ...how], {
    bed: 'flume',
    doing: 'making the store of its certificate',
  })
  return {
    'a.sources.r.ssl': 'true',
    'a.sources.r.keystore': store,
    'a.sources.r.keystore-password': STORE_PASSWORD,
    'a.sources.r.keystore-type': 'PKCS12',
  }
}

/**
 * Starts an agent whose Avro source listens on a port, over a file channel. The bodies of its events become lines of
 * files in `out`.
 */
export async function startFlumeReceiver(options: {
  dir: string
  port: number
  out: string
  /** The files, PEM, of what its source shows; without it the source takes plain text. */
  shown?: { readonly certificate: string; readonly key: string }
}): Promise<FlumeAgent> {
  const dir = resolve(options.dir)
  const { shown } = options
  mkdirSync(options.out, { recursive: true })
  return startAgent(dir, {
    ...NAMES,
    ...(shown === undefined ? {} : await showing(dir, shown.certificate, shown.key)),
    'a.sources.r.type': 'avro',
    'a.sources.r.bind': '127.0.0.1',
    'a.sources.r.port': options.port,
    ...channelOf('file', dir),
    'a.sinks.k.type': 'file_roll',
    'a.sinks.k.channel': 'c',
    'a.sinks.k.sink.directory': options.out,
    'a.sinks.k.sink.rollInterval': 0,
  })
}

async function startAgent(dir: string, settings: Settings): Promise<FlumeAgent> {
  const jars = await fetchFlume()
  const conf = join(dir, 'conf')
  mkdirSync(conf, { recursive: true })
  writeFileSync(join(conf, 'log4j2.properties'), LOGGING)
  writeFileSync(join(conf, 'agent.conf'), textOf(settings))
  let agent: TiedProcess | undefined
  const start = async (): Promise<void> => {
    const args = ['--name', 'a', '--conf-file', join(conf, 'agent.conf'), '--no-reload-conf']
    const java = ['-Xmx256m', '-cp', `${conf}:${jars}/*`, 'org.apache.flume.node.Application', ...args]
    const log = join(dir, 'agent.log')
    const started = await spawnTied('java', java, { log, cwd: dir })
    agent = started
    await waitFor(
      'the agent runs',
      STARTS_WITHIN_MS,
      async () => /k started/.test(started.logTail()),
      () => started.logTail(),
    )
  }
  await start()
  return {
    kill: async () => agent?.kill(),
    restart: start,
    log: () => agent?.logTail() ?? '',
  }
}

type Settings = Readonly<Record<string, string | number>>

const NAMES: Settings = { 'a.sources': 'r', 'a.channels': 'c', 'a.sinks': 'k', 'a.sources.r.channels': 'c' }

function settingsOf(dir: string, { input, channel, port, batchSize, compression }: FlumeAgentOptions): Settings {
  return {
    ...NAMES,
    ...(input.kind === 'sequence'
      ? { 'a.sources.r.type': 'seq', 'a.sources.r.totalEvents': input.events, 'a.sources.r.batchSize': 100 }
      : {
          'a.sources.r.type': 'TAILDIR',
          'a.sources.r.filegroups': 'f',
          'a.sources.r.filegroups.f': input.pattern,
          'a.sources.r.positionFile': join(dir, 'position.json'),
          'a.sources.r.fileHeader': 'true',
          'a.sources.r.fileHeaderKey': 'path',
        }),
    ...channelOf(channel, dir),
    'a.sinks.k.type': 'avro',
    'a.sinks.k.channel': 'c',
    'a.sinks.k.hostname': '127.0.0.1',
    'a.sinks.k.port': port,
    'a.sinks.k.batch-size': batchSize,
    'a.sinks.k.compression-type': compression,
  }
}

function channelOf(channel: 'memory' | 'file', dir: string): Settings {
  return {
    'a.channels.c.type': channel,
    'a.channels.c.capacity': 200_000,
    'a.channels.c.transactionCapacity': 1_000,
    ...(channel === 'file'
      ? { 'a.channels.c.checkpointDir': join(dir, 'checkpoint'), 'a.channels.c.dataDirs': join(dir, 'data') }
      : {}),
  }
}

function textOf(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}

const LOGGING = `status = error
appender.c.type = Console
appender.c.name = C
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = %d{ABSOLUTE} %p %c{1} %m%ex{short}%n
rootLogger.level = info
rootLogger.appenderRef.c.ref = C
`
