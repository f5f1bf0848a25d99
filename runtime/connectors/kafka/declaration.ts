import type { RecordFormat } from '../../formats/format.ts'
import { readFormat } from '../../formats/formats.ts'
import type { Schema } from '../../model/schema.ts'
import { parseDurationMs } from '../../model/time.ts'
import type { Isolation, KafkaClientOptions } from './client.ts'
import type { WritableCodec } from './compression.ts'

export interface OptionProblem {
  path: string
  message: string
}

type Options = Readonly<Record<string, unknown>>

export type StartFrom = { kind: 'earliest' } | { kind: 'latest' } | { kind: 'timestamp'; time: number }

/** Which security a connection has; the password is read from its file when connecting, never kept in a spec. */
export interface KafkaSecurity {
  tls: boolean
  sasl?: { mechanism: NonNullable<KafkaClientOptions['sasl']>['mechanism']; username: string; passwordFile: string }
}

export interface KafkaSourceOptions {
  brokers: string[]
  topics: string[]
  startFrom: StartFrom
  isolation: Isolation
  bounded: boolean
  format: RecordFormat
  /** How often new partitions are looked for. */
  partitionDiscoveryMs: number
  security: KafkaSecurity
}

export interface KafkaSinkOptions {
  brokers: string[]
  topic: string
  delivery: 'exactlyOnce' | 'atLeastOnce'
  /** Field whose value becomes the record's key. */
  key: string | undefined
  /** Field whose value chooses the partition; the key does when it is absent. */
  partitionBy: string | undefined
  transactionTimeoutMs: number
  compression: WritableCodec
  createTopic: { partitions: number; replication: number } | undefined
  format: RecordFormat
  timestampFormat: 'iso' | 'epochMillis'
  security: KafkaSecurity
}

export interface KafkaDeadLetterOptions {
  brokers: string[]
  topic: string
  security: KafkaSecurity
}

/** The broker's own limit (transaction.max.timeout.ms) is 15 minutes unless raised. */
const DEFAULT_TRANSACTION_TIMEOUT_MS = 15 * 60_000
const DEFAULT_PARTITION_DISCOVERY_MS = 30_000
const MECHANISMS = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const
const CONNECTION_FIELDS = ['brokers', 'tls', 'sasl']

/** Reads checked values out of options and gathers what is wrong with them. */
class OptionReader {
  readonly problems: OptionProblem[] = []
  readonly #options: Options

  constructor(options: Options, known: readonly string[]) {
    this.#options = options
    for (const name of Object.keys(options)) {
      if (!known.includes(name)) this.problem(name, `unknown field; known are ${known.join(', ')}`)
    }
  }

  problem(path: string, message: string): void {
    this.problems.push({ path, message })
  }

  value(name: string): unknown {
    return this.#options[name]
  }

  text(name: string): string | undefined {
    const value = this.#options[name]
    if (value === undefined || (typeof value === 'string' && value !== '')) return value
    this.problem(name, `must be a text, found ${JSON.stringify(value)}`)
    return undefined
  }

  flag(name: string): boolean {
    const value = this.#options[name]
    if (value === undefined || typeof value === 'boolean') return value ?? false
    this.problem(name, `must be true or false, found ${JSON.stringify(value)}`)
    return false
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], byDefault: T): T {
    const value = this.#options[name]
    if (value === undefined) return byDefault
    const found = allowed.find((candidate) => candidate === value)
    if (found === undefined) this.problem(name, `must be one of ${allowed.join(', ')}, found ${JSON.stringify(value)}`)
    return found ?? byDefault
  }

  format(timestampFormat: 'iso' | 'epochMillis'): RecordFormat {
    const { format, problems } = readFormat(this.#options['format'] ?? 'json', { timestampFormat })
    for (const { path, message } of problems) this.problem(path === '' ? 'format' : `format.${path}`, message)
    return format
  }

  topic(name: string): string {
    const value = this.text(name)
    if (value === undefined) {
      if (this.#options[name] === undefined) this.problem(name, 'is required')
      return ''
    }
    this.checkTopicName(name, value)
    return value
  }

  /** Kafka's own rule (kafka: Topic.java). */
  checkTopicName(path: string, topic: string): void {
    if (!/^[a-zA-Z0-9._-]{1,249}$/.test(topic) || topic === '.' || topic === '..') {
      this.problem(path, `${JSON.stringify(topic)} is no topic name: 1 to 249 of a-z A-Z 0-9 . _ -`)
    }
  }

  brokers(): string[] {
    const value = this.#options['brokers']
    const list = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : undefined
    if (list === undefined || list.length === 0) {
      this.problem('brokers', 'is required: host:port, or a list of them')
      return []
    }
    const brokers = list.map((broker: unknown) => String(broker).trim())
    for (const broker of brokers) {
      const port = Number(/^(?:\[[0-9a-fA-F:]+\]|[^:\s/]+):(\d{1,5})$/.exec(broker)?.[1])
      if (!(port > 0 && port < 65_536)) this.problem('brokers', `${JSON.stringify(broker)} is not host:port`)
    }
    return brokers
  }

  security(): KafkaSecurity {
    const sasl = this.#options['sasl']
    const security: KafkaSecurity = { tls: this.flag('tls') }
    if (sasl === undefined) return security
    if (!isRecord(sasl)) {
      this.problem('sasl', 'must hold mechanism, username and passwordFile')
      return security
    }
    const reader = new OptionReader(sasl, ['mechanism', 'username', 'passwordFile'])
    const mechanism = reader.oneOf('mechanism', ['plain', 'scram-sha-256', 'scram-sha-512'], 'scram-sha-512')
    const username = reader.text('username')
    const passwordFile = reader.text('passwordFile')
    if (username === undefined) reader.problem('username', 'is required')
    if (passwordFile === undefined) reader.problem('passwordFile', 'is required: the path of a mounted Secret')
    for (const { path, message } of reader.problems) this.problem(`sasl.${path}`, message)
    if (username !== undefined && passwordFile !== undefined)
      security.sasl = { mechanism: MECHANISMS[mechanism], username, passwordFile }
    return security
  }
}

export function readSourceOptions(options: Options): { value: KafkaSourceOptions; problems: OptionProblem[] } {
  const reader = new OptionReader(options, [
    ...CONNECTION_FIELDS,
    'topic',
    'topics',
    'format',
    'startFrom',
    'isolation',
    'bounded',
    'partitionDiscovery',
  ])
  const value: KafkaSourceOptions = {
    format: reader.format('iso'),
    brokers: reader.brokers(),
    topics: readTopics(reader),
    startFrom: readStartFrom(reader),
    isolation: reader.oneOf('isolation', ['read_committed', 'read_uncommitted'], 'read_committed'),
    bounded: reader.flag('bounded'),
    partitionDiscoveryMs: readDuration(reader, 'partitionDiscovery', '100ms', DEFAULT_PARTITION_DISCOVERY_MS),
    security: reader.security(),
  }
  if (value.bounded && value.startFrom.kind === 'latest')
    reader.problem('startFrom', 'a bounded source that starts at the latest offset reads nothing')
  return { value, problems: reader.problems }
}

export function readSinkOptions(options: Options): { value: KafkaSinkOptions; problems: OptionProblem[] } {
  const reader = new OptionReader(options, [
    ...CONNECTION_FIELDS,
    'topic',
    'format',
    'delivery',
    'key',
    'partitionBy',
    'transactionTimeout',
    'compression',
    'createTopic',
    'timestampFormat',
  ])
  const timestampFormat = reader.oneOf('timestampFormat', ['iso', 'epochMillis'], 'iso')
  const value: KafkaSinkOptions = {
    format: reader.format(timestampFormat),
    timestampFormat,
    brokers: reader.brokers(),
    topic: reader.topic('topic'),
    delivery: reader.oneOf('delivery', ['exactlyOnce', 'atLeastOnce'], 'exactlyOnce'),
    key: reader.text('key'),
    partitionBy: reader.text('partitionBy'),
    transactionTimeoutMs: readDuration(reader, 'transactionTimeout', '1s', DEFAULT_TRANSACTION_TIMEOUT_MS),
    compression: reader.oneOf('compression', ['none', 'gzip', 'zstd'], 'none'),
    createTopic: readCreateTopic(reader),
    security: reader.security(),
  }
  return { value, problems: reader.problems }
}

/** What of the schema the format cannot carry. */
export function formatProblems(format: RecordFormat, schema: Schema): OptionProblem[] {
  return format.check(schema).map(({ path, message }) => ({ path: path === '' ? 'format' : `format.${path}`, message }))
}

export function readDeadLetterOptions(options: Options): { value: KafkaDeadLetterOptions; problems: OptionProblem[] } {
  const reader = new OptionReader(options, [...CONNECTION_FIELDS, 'topic'])
  return {
    value: { brokers: reader.brokers(), topic: reader.topic('topic'), security: reader.security() },
    problems: reader.problems,
  }
}

function readTopics(reader: OptionReader): string[] {
  const list = reader.value('topics')
  if (list === undefined) return [reader.topic('topic')]
  if (reader.value('topic') !== undefined) reader.problem('topics', 'give topic or topics, not both')
  if (!Array.isArray(list) || list.length === 0) {
    reader.problem('topics', 'must be a list of topic names')
    return []
  }
  const topics = list.map(String)
  topics.forEach((topic, index) => {
    reader.checkTopicName(`topics[${index}]`, topic)
  })
  if (new Set(topics).size !== topics.length) reader.problem('topics', 'names a topic twice')
  return topics
}

function readStartFrom(reader: OptionReader): StartFrom {
  const value = reader.value('startFrom') ?? 'earliest'
  if (value === 'earliest' || value === 'latest') return { kind: value }
  const time = typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : NaN
  if (!Number.isSafeInteger(time) || time < 0) {
    reader.problem(
      'startFrom',
      `must be earliest, latest, or a time (ISO 8601 or epoch milliseconds), found ${JSON.stringify(value)}`,
    )
  }
  return { kind: 'timestamp', time }
}

function readDuration(reader: OptionReader, name: string, least: string, byDefaultMs: number): number {
  const text = reader.text(name)
  if (text === undefined) return byDefaultMs
  const ms = parseDurationMs(text)
  if (ms === undefined || ms < (parseDurationMs(least) ?? 0) || ms > 0x7fffffff) {
    reader.problem(name, `must be a duration of at least ${least}, found ${JSON.stringify(text)}`)
    return byDefaultMs
  }
  return ms
}

function readCreateTopic(reader: OptionReader): KafkaSinkOptions['createTopic'] {
  const value = reader.value('createTopic')
  if (value === undefined) return undefined
  if (!isRecord(value)) {
    reader.problem('createTopic', 'must hold partitions and, if not 1, replication')
    return undefined
  }
  const { partitions, replication = 1, ...unknown } = value
  for (const name of Object.keys(unknown))
    reader.problem(`createTopic.${name}`, 'unknown field; known are partitions, replication')
  if (!isCount(partitions, 10_000))
    reader.problem('createTopic.partitions', `must be 1 to 10000, found ${JSON.stringify(partitions)}`)
  if (!isCount(replication, 100))
    reader.problem('createTopic.replication', `must be 1 to 100, found ${JSON.stringify(replication)}`)
  return isCount(partitions, 10_000) && isCount(replication, 100) ? { partitions, replication } : undefined
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
