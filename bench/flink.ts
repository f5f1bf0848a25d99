import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { NEXMARK_AUCTIONS, NEXMARK_BIDS, NEXMARK_PERSONS } from '../runtime/connectors/nexmark/declaration.ts'
import { NexmarkGenerator } from '../runtime/connectors/nexmark/generator.ts'
import { FLINK_QUERIES, type FlinkQuery } from './flink-queries.ts'
import { RowHash } from './row-hash.ts'

/** The cost of one process; `events`, `cpuSeconds` and `nsPerEvent` from the mark after the warm-up to the end of the job. */
interface FlinkRun {
  events: number
  cpuSeconds: number
  nsPerEvent: number
  rows: number
  finalRows: number
  hash: string
}

/** CPU seconds of a run before its mark (compiling comes to rest) and behind it. */
export interface FlinkSeconds {
  warm: number
  counted: number
}

const PROJECT = join(import.meta.dirname, 'flink')
/** Built classes and Flink's own, kept from run to run. */
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'millrace', 'flink-bench')
const CLASS_PATH = `${join(CACHE, 'flink-bench-1.jar')}:${join(CACHE, 'lib', '*')}`
/** Loaded classes as Java keeps them: a start of 5 s instead of 10; nothing that is counted changes. */
const CLASS_ARCHIVE = join(CACHE, 'classes.jsa')
const OPENED = [
  'util',
  'lang',
  'net',
  'io',
  'nio',
  'lang.reflect',
  'text',
  'time',
  'util.concurrent',
  'util.concurrent.atomic',
  'util.concurrent.locks',
]
const JAVA_FLAGS = [...OPENED.map((name) => `java.${name}`), 'sun.nio.ch'].map(
  (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
)
const COLLECTORS = {
  serial: ['-XX:+UseSerialGC'],
  parallel: ['-XX:+UseParallelGC', '-XX:+UseTransparentHugePages', '-XX:+AlwaysPreTouch'],
}
const CHECKED_EVENTS = 200_000
/** How the generator alone is run. */
const SMALL: FlinkQuery = { api: 'datastream', heapGb: 1, collector: 'serial' }

/** What is missing to run Flink here; undefined when nothing is. */
export function lackingForFlink(): string | undefined {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' })
  const major = Number(/version "(\d+)/.exec(java.stderr ?? '')?.[1] ?? NaN)
  if (!(major >= 17))
    return Number.isNaN(major) ? '`java` is not there (17 is needed)' : `\`java\` is version ${major} (17 is needed)`
  return spawnSync('mvn', ['-v']).status === 0 ? undefined : '`mvn` is not there'
}

/** Builds bench/flink with Maven unless it was built from the same sources. Throws when Maven fails. */
export function buildFlink(): void {
  const sources = globSync('{pom.xml,src/**/*.*}', { cwd: PROJECT }).sort()
  const hash = createHash('sha256')
  for (const name of sources) hash.update(`${name}\n`).update(readFileSync(join(PROJECT, name)))
  const [stamp, stampFile] = [hash.digest('hex'), join(CACHE, 'built-from')]
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  mkdirSync(CACHE, { recursive: true })
  rmSync(CLASS_ARCHIVE, { force: true })
  execFileSync('mvn', ['-q', '-B', '-f', join(PROJECT, 'pom.xml'), `-Dout=${CACHE}`, 'clean', 'package'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  java('q8', { ...SMALL, api: 'sql' }, [`-XX:ArchiveClassesAtExit=${CLASS_ARCHIVE}`], ['events=100000'])
  writeFileSync(stampFile, stamp)
}

/** Throws unless the generator in Java makes the same events as Millrace's. */
export function checkEvents(): void {
  const hashes = {
    bid: new RowHash(NEXMARK_BIDS),
    auction: new RowHash(NEXMARK_AUCTIONS),
    person: new RowHash(NEXMARK_PERSONS),
  }
  const generator = new NexmarkGenerator()
  for (let n = 0; n < CHECKED_EVENTS; n++) {
    const event = generator.event(n)
    hashes[event.kind].add(event.kind === 'person' ? { ...event, emailAddress: event.email } : { ...event })
  }
  const ours = ((hashes.bid.sum + hashes.auction.sum + hashes.person.sum) % 2 ** 48).toString(16)
  const theirs = run('bare', SMALL, [`events=${CHECKED_EVENTS}`, 'hash=all', 'key=-1'])
  if (theirs.hash !== ours)
    throw new Error(
      `the generator in Java makes other events: hash ${theirs.hash} over ${theirs.rows}, Millrace's ${ours} over ${CHECKED_EVENTS}`,
    )
}

/** Nanoseconds of CPU per event of Flink's process without the generator, which was measured alone just before. */
export function flinkNs(name: string, { warm, counted }: FlinkSeconds): number {
  // one short loop, compiled within the first second
  const { nsPerEvent: bare } = run('bare', SMALL, ['warm=3', 'counted=4'])
  return run(name, queryNamed(name), [`warm=${warm}`, `counted=${counted}`]).nsPerEvent - bare
}

/**
 * Nanoseconds of CPU per record from Kafka to Kafka: of Flink's process over the topic `long` less over `short`,
 * which is `events` shorter.
 */
export function flinkKafkaNs(name: string, brokers: string, events: number): number {
  return run(name, { api: 'datastream', heapGb: 2, collector: 'serial' }, [`brokers=${brokers}`, `events=${events}`])
    .nsPerEvent
}

/**
 * Result rows over the first `events` events, and their hash as bench/row-hash.ts makes it. Undefined for rows that
 * cannot be compared.
 */
export function flinkRows(name: string, events: number): { rows: number; finalRows: number; hash: string } | undefined {
  const { api, miniBatch, compared } = queryNamed(name)
  if (compared === undefined) return undefined
  // a short run, in which touching a large heap would take most of the time
  return run(name, { api, heapGb: 4, collector: 'serial', ...(miniBatch === undefined ? {} : { miniBatch }) }, [
    `events=${events}`,
    `hash=${(compared.columns ?? compared.fields).join(',')}`,
    `key=${compared.key ?? -1}`,
  ])
}

function queryNamed(name: string): FlinkQuery {
  const query = FLINK_QUERIES[name]
  if (query === undefined) throw new Error(`Flink has no query ${name}`)
  return query
}

function run(name: string, query: FlinkQuery, options: readonly string[]): FlinkRun {
  return java(name, query, existsSync(CLASS_ARCHIVE) ? [`-XX:SharedArchiveFile=${CLASS_ARCHIVE}`] : [], options)
}

function java(
  name: string,
  { api, heapGb, collector, miniBatch }: FlinkQuery,
  flags: readonly string[],
  options: readonly string[],
): FlinkRun {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-flink-'))
  try {
    const command = [
      'java',
      `-Xms${heapGb}g`,
      `-Xmx${heapGb}g`,
      ...COLLECTORS[collector],
      ...flags,
      ...JAVA_FLAGS,
      `-Djava.io.tmpdir=${folder}`,
      '-cp',
      CLASS_PATH,
      'millrace.bench.FlinkBench',
      `query=${name}`,
      `api=${api}`,
      `miniBatch=${String(miniBatch ?? false)}`,
      `checkpoints=${folder}`,
      ...options,
    ]
    const pinned = process.platform === 'linux' ? ['taskset', '-c', '0', ...command] : command
    const output = execFileSync(pinned[0] ?? '', pinned.slice(1), {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const result = /^RESULT (.*)$/m.exec(output)?.[1]
    if (result === undefined) throw new Error(`Flink's ${name} ended without a result: ${output}`)
    return JSON.parse(result) as FlinkRun
  } finally {
    rmSync(folder, { recursive: true })
  }
}
