import { kafkaConnector } from '../runtime/connectors/kafka/connector.ts'
import { cellsOf } from '../runtime/formats/csv-format.ts'
import { inferSchema, valueOfCell, type InferredSchema } from '../runtime/formats/infer-schema.ts'
import { compileRowClass } from '../runtime/codegen/rows/row.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { parseWithDigits } from '../runtime/model/json-digits.ts'
import type { Schema } from '../runtime/model/schema.ts'
import { valueTypeText } from '../runtime/model/value-type.ts'
import type { KafkaConnect } from '../runtime/connectors/kafka/client.ts'
import type { Ports } from '../runtime/ports/ports.ts'

const MAX_RECORDS = 10_000
const SAMPLE_BYTES = 4 * 1024 * 1024
/** A topic that gives nothing for so long has given all there is. */
const PATIENCE_MS = 10_000
/** Records that are further out of order than this are not in order of time at all. */
const MAX_DISORDER_MS = 3_600_000

export interface InferOptions {
  /** A file of JSON lines, CSV or Avro, or with `brokers` a topic of JSON records. */
  from: string
  brokers: string | undefined
  output: 'text' | 'json'
}

/** What infer needs of the world. */
export interface InferIo {
  ports: Ports
  connect: KafkaConnect
  out(text: string): void
}

/**
 * `millrace infer FILE|TOPIC`: prints the schema block that a sample of the records suggests. Exit code 0, or 1
 * without records.
 */
export async function infer({ from, brokers, output }: InferOptions, { ports, connect, out }: InferIo): Promise<0 | 1> {
  const sample =
    brokers === undefined ? await sampleOfFile(from, ports) : await recordsOfTopic(from, brokers, ports, connect)
  const { inferred } = sample
  const [broken] = sample.broken
  if (inferred.records === 0 && broken !== undefined) throw broken
  if (inferred.records === 0)
    throw new MillraceError('SAMPLE_EMPTY', `${from} holds no record that is a JSON object or a line of CSV`, {
      domain: 'user',
      hint: "one record is one line; an array of them: jq -c '.[]'",
    })
  out(
    output === 'json'
      ? `${JSON.stringify({ ...reportOf(inferred), broken: sample.broken.length })}\n`
      : textOf(inferred, from, sample),
  )
  return 0
}

/** `broken` says of each record that could not be read why; a source leaves such out too. */
interface Sample {
  inferred: InferredSchema
  broken: readonly Error[]
  format?: string
}

async function sampleOfFile(path: string, { files }: Ports): Promise<Sample> {
  if ((await files.exists(path)) && (await files.glob(path)).length === 0)
    throw new MillraceError('FILE_MISSING', `${path} is a folder`, { domain: 'user', hint: 'name one of its files' })
  if (!(await files.exists(path)))
    throw new MillraceError('FILE_MISSING', `there is no file ${path}`, {
      domain: 'user',
      hint: 'for a topic of Kafka say --brokers host:port',
    })
  if (path.endsWith('.avro')) {
    const { inferAvro } = await import('./infer-avro.ts')
    return { ...(await inferAvro(path, files, MAX_RECORDS)), format: 'avro' }
  }
  const bytes = await files.read(path, 0, SAMPLE_BYTES)
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split(/\r?\n/)
  // the last line of a part of a file may be part of a line
  if (bytes.length === SAMPLE_BYTES) lines.pop()
  const sample = lines.filter((line) => line.trim() !== '').slice(0, MAX_RECORDS + 1)
  return path.endsWith('.csv') ? sampleOfCsv(sample) : parsed(sample, (index) => `${path} line ${index + 1}`)
}

/** The first line names the columns. */
function sampleOfCsv([head = '', ...lines]: readonly string[]): Sample {
  const delimiter = [';', '\t', '|'].find((candidate) => head.includes(candidate) && !head.includes(',')) ?? ','
  const names = cellsOf(head, delimiter).map(({ text }) => text.replace(/^\uFEFF/, ''))
  const records = lines.map((line) => {
    const cells = cellsOf(line, delimiter)
    return Object.fromEntries(names.map((name, index) => [name, valueOfCell(cells[index]?.text ?? '')]))
  })
  return {
    inferred: inferSchema(records),
    broken: [],
    format: `{ csv: { header: true${delimiter === ',' ? '' : `, delimiter: ${delimiter === '\t' ? '"\\t"' : `'${delimiter}'`}`} } }`,
  }
}

async function recordsOfTopic(topic: string, brokers: string, ports: Ports, connect: KafkaConnect): Promise<Sample> {
  const schema: Schema = { fields: [{ name: 'record', type: 'string', nullable: false }] }
  const source = kafkaConnector(connect).source({ brokers, topic, format: 'raw', bounded: true })
  const context = {
    job: 'infer',
    host: '127.0.0.1',
    idle: (until: Promise<void>) => until,
    operatorId: 'infer',
    verb: { kind: 'source', connector: 'kafka' } as const,
    schema,
    ports,
    baseDir: '.',
    slot: 0,
    parallelism: 1,
    onBadRecord: () => undefined,
    reportTrouble: () => undefined,
  }
  const enumerator = source.enumerator(context)
  const reader = source.reader(context, compileRowClass(schema))
  const texts: string[] = []
  try {
    await reader.open(await enumerator.discover([], 1))
    for (
      let until = ports.clock.now() + PATIENCE_MS;
      !reader.isFinished() && texts.length < MAX_RECORDS && ports.clock.now() < until;
    ) {
      const batch = await reader.poll(1024)
      if (batch === undefined) continue
      until = ports.clock.now() + PATIENCE_MS
      for (const row of batch.batch.rows()) texts.push(String(row['record']))
    }
  } finally {
    await reader.close()
    await enumerator.close()
  }
  return parsed(texts, (index) => `record ${index + 1} of ${topic}`)
}

function parsed(texts: readonly string[], where: (index: number) => string): Sample {
  const broken: MillraceError[] = []
  const records = texts.flatMap((text, index): unknown[] => {
    try {
      return [parseWithDigits(text)]
    } catch (cause) {
      broken.push(
        new MillraceError('RECORD_INVALID', `${where(index)} is not JSON: ${text.slice(0, 80)}`, {
          domain: 'user',
          cause,
        }),
      )
      return []
    }
  })
  return { inferred: inferSchema(records), broken }
}

function reportOf({ records, fields, leftOut, eventTime }: InferredSchema): object {
  return {
    records,
    schema: Object.fromEntries(fields.map((field) => [field.name, valueTypeText(field)])),
    eventTime: eventTime ?? null,
    leftOut,
  }
}

function textOf(
  { records, fields, leftOut, eventTime }: InferredSchema,
  from: string,
  { broken, format }: Sample,
): string {
  const lines = [
    `# from ${records} records of ${from}`,
    ...(format === undefined ? [] : [`# format: ${format}`]),
    'schema:',
    ...fields.map((field) => `  ${field.name}: ${quotedType(valueTypeText(field))}`),
  ]
  if (eventTime !== undefined) {
    const isOrdered = eventTime.disorderMs <= MAX_DISORDER_MS
    const disorder =
      eventTime.disorderMs > 0 && isOrdered ? `, outOfOrderness: ${Math.ceil(eventTime.disorderMs / 1000)}s` : ''
    lines.push(
      `eventTime: { field: ${eventTime.field}${disorder} }${isOrdered ? '' : ' # the sample is not in order of it: choose an outOfOrderness'}`,
    )
  }
  for (const name of leftOut) lines.push(`# left out, no name of a field: ${JSON.stringify(name)}`)
  if (broken[0] !== undefined)
    lines.push(
      `# left out, could not be read: ${broken.length === 1 ? '' : `${broken.length} records, e.g. `}${broken[0].message}`,
    )
  return `${lines.join('\n')}\n`
}

/** Braces and commas mean something in YAML. */
function quotedType(text: string): string {
  return /[{}<>,: ]/.test(text) ? `'${text}'` : text
}
