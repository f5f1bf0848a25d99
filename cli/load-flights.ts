/**
 * Fills a Kafka topic with the flights of the example, in order of departure, one JSON object each:
 *
 *   node cli/node.js cli/load-flights.ts --brokers localhost:9092 --topic flights --partitions 4 [--limit 100000]
 *
 * Uses the runtime's own file source and Kafka sink.
 */
import { parseArgs } from 'node:util'
import { compileRowClass } from '../runtime/codegen/rows/row.ts'
import { connector as file } from '../runtime/connectors/file/connector.ts'
import { kafkaConnector } from '../runtime/connectors/kafka/connector.ts'
import type { SinkWriter } from '../runtime/connectors/sink.ts'
import type { ReaderContext, SourceReader, Split } from '../runtime/connectors/source.ts'
import { describeWithCauses, MillraceError } from '../runtime/model/errors.ts'
import type { Schema } from '../runtime/model/schema.ts'
import type { Logger } from '../runtime/ports/logger.ts'
import type { Ports } from '../runtime/ports/ports.ts'
import { connectKafka } from '../runtime/connectors/kafka/real/client.ts'
import { builtinStores } from '../runtime/builtin-stores.ts'
import { realPorts } from '../runtime/ports/real/ports.ts'
import { standardConsole } from './console.ts'

const FLIGHTS = new URL('../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url).pathname
const flights = file.source({ path: FLIGHTS, format: 'parquet' })
const NEVER = new AbortController().signal
const ROWS_PER_POLL = 1024
const SCHEMA: Schema = {
  fields: [
    { name: 'date', type: 'timestamp', nullable: false },
    { name: 'delay', type: 'long', nullable: true },
    { name: 'distance', type: 'long', nullable: true },
    { name: 'origin', type: 'string', nullable: false },
    { name: 'destination', type: 'string', nullable: false },
  ],
}

export interface LoadOptions {
  brokers: string
  topic: string
  partitions: number
  limit: number
  onProgress(written: number): void
}

/** Returns how many flights every broker has acknowledged. The topic is created when it is missing. */
export async function loadFlights(options: LoadOptions): Promise<number> {
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
    with: () => logger,
  }
  const ports = realPorts({ stores: builtinStores, logger, printLine: () => undefined })
  const context = sourceContext(ports)
  const enumerator = flights.enumerator(context)
  const splits = await enumerator.discover([], 1)
  await enumerator.close()
  const sink = kafkaConnector(connectKafka).sink({
    brokers: options.brokers,
    topic: options.topic,
    delivery: 'atLeastOnce',
    createTopic: { partitions: options.partitions },
  })
  const writer = sink.writer({
    jobUid: 'load-flights',
    predecessors: [],
    operatorId: 'load-flights',
    slot: 0,
    attempt: 1,
    schema: SCHEMA,
    ports,
    baseDir: '.',
    stopping: NEVER,
    reportTrouble,
  })
  let written = 0
  try {
    await writer.open([])
    for (const split of splits) {
      if (written < options.limit)
        written += await copy(context, split, writer, options.limit - written, (rows) => {
          options.onProgress(written + rows)
        })
    }
    await writer.prepareCommit(1)
  } finally {
    await writer.close()
  }
  return written
}

async function copy(
  context: ReaderContext,
  split: Split,
  writer: SinkWriter,
  limit: number,
  onProgress: (rows: number) => void,
): Promise<number> {
  const reader: SourceReader = flights.reader(context, compileRowClass(SCHEMA))
  let written = 0
  try {
    await reader.open([split])
    while (!reader.isFinished() && written < limit) {
      const read = await reader.poll(Math.min(ROWS_PER_POLL, limit - written))
      if (read === undefined) continue
      await writer.write(read.batch)
      written += read.batch.count
      onProgress(written)
    }
  } finally {
    await reader.close()
  }
  return written
}

function sourceContext(ports: Ports): ReaderContext {
  return {
    job: 'flights',
    host: '127.0.0.1',
    idle: (until) => until,
    operatorId: 'flights',
    verb: {
      kind: 'source',
      connector: 'file',
    },
    schema: SCHEMA,
    ports,
    baseDir: '.',
    slot: 0,
    parallelism: 1,
    reportTrouble,
    onBadRecord: (error) => {
      throw error
    },
  }
}

function reportTrouble(error: Error | null): void {
  if (error !== null) standardConsole.err(`still trying: ${describeWithCauses(error)}\n`)
}

function countOption(name: string, text: string): number {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < 1)
    throw new MillraceError('USAGE', `--${name} must be a whole number above 0, found ${JSON.stringify(text)}`, {
      domain: 'user',
    })
  return count
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      brokers: { type: 'string', default: 'localhost:9092' },
      topic: { type: 'string', default: 'flights' },
      partitions: { type: 'string', default: '4' },
      limit: { type: 'string' },
    },
  })
  let told = 0
  const written = await loadFlights({
    brokers: values.brokers,
    topic: values.topic,
    partitions: countOption('partitions', values.partitions),
    limit: values.limit === undefined ? Infinity : countOption('limit', values.limit),
    onProgress: (count) => {
      if (count - told < 500_000) return
      told = count
      standardConsole.err(`${count} flights written\n`)
    },
  })
  standardConsole.out(`${written} flights are in topic ${values.topic}\n`)
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    standardConsole.err(`load-flights: ${describeWithCauses(error)}\n`)
    process.exitCode = 1
  }
}
