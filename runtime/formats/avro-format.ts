import { MillraceError } from '../model/errors.ts'
import type { Field, Schema } from '../model/schema.ts'
import { avroRecordReader } from './avro-reader.ts'
import { avroSchemaOf, parseAvroSchema } from './avro-schema.ts'
import { avroRecordWriter } from './avro-writer.ts'
import { binaryScanner, binaryWriter, wireHeader, wireScanner } from './binary-scanner.ts'
import type { FormatContext, FormatReader } from './format.ts'
import { schemaProblems } from './options.ts'
import { unknownOptions } from '../graph/unknown-options.ts'
import { readRegistry, registryFiles, SchemaRegistry } from './schema-registry.ts'

/**
 * Avro's binary encoding (specification 1.12). With `registry` each record names its schema by id and fields are
 * matched by name, so producers may go on to later schemas; without, all records have `schema`, or the one that the
 * fields of the stream make (avroSchemaOf), sorted by name: an API server does not keep the order of a schema.
 */
export const avroFormat: FormatReader = (options, problem) => {
  unknownOptions(options, ['schema', 'registry', 'subject', 'tls'], problem)
  const { registry: written, subject } = options
  const registry = readRegistry(options, problem)
  if (subject !== undefined && (typeof subject !== 'string' || subject === '' || written === undefined))
    problem('subject', 'must be a text, beside a registry')
  const given = readSchema(options['schema'], (message) => {
    problem('schema', message)
  })
  const schemaFor = (schema: Schema): unknown => given ?? avroSchemaOf(sortedByName(schema), 'Row')
  return {
    opens: registryFiles('avro', registry),
    check: ({ fields }) =>
      given === undefined || registry !== undefined
        ? []
        : schemaProblems(() => avroRecordReader(parseAvroSchema(given), fields)),
    scanner({ schema, ports }, rows) {
      if (registry === undefined)
        return binaryScanner(avroRecordReader(parseAvroSchema(schemaFor(schema)), schema.fields), rows)
      const source = new SchemaRegistry(registry, ports)
      return wireScanner(
        async (id) => {
          const found = await source.schema(id)
          if (found.kind !== 'AVRO')
            throw new MillraceError('AVRO_SCHEMA_INVALID', `schema ${id} is ${found.kind}, not Avro`, {
              domain: 'user',
            })
          return avroRecordReader(parseAvroSchema(jsonOf(found.text)), schema.fields)
        },
        rows,
        ports.clock,
      )
    },
    async writer(context) {
      const schema = schemaFor(context.schema)
      const write = avroRecordWriter(parseAvroSchema(schema), context.schema.fields)
      if (registry === undefined) return binaryWriter(write, new Uint8Array(0))
      const id = await new SchemaRegistry(registry, context.ports).register(subjectOf(subject, context), {
        kind: 'AVRO',
        text: JSON.stringify(schema),
      })
      return binaryWriter(write, wireHeader(id))
    },
  }
}

function sortedByName({ fields }: Schema): readonly Field[] {
  return fields.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Confluent's TopicNameStrategy. */
function subjectOf(subject: unknown, { topic }: FormatContext): string {
  return typeof subject === 'string' ? subject : `${topic ?? ''}-value`
}

function readSchema(value: unknown, problem: (message: string) => void): unknown {
  if (value === undefined) return undefined
  const found = schemaProblems(() => parseAvroSchema(typeof value === 'string' ? jsonOf(value) : value))
  for (const { message } of found) problem(message)
  return found.length > 0 ? undefined : typeof value === 'string' ? jsonOf(value) : value
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('AVRO_SCHEMA_INVALID', `an Avro schema is not JSON: ${text.slice(0, 80)}`, {
      domain: 'user',
      cause,
    })
  }
}
