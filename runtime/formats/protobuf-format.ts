import { isAbsolute, join } from 'node:path'
import { MillraceError } from '../model/errors.ts'
import { binaryScanner, binaryWriter, wireHeader, wireScanner, type ReadValues } from './binary-scanner.ts'
import type { ByteInput } from './byte-input.ts'
import type { FormatContext, FormatReader } from './format.ts'
import { schemaProblems } from './options.ts'
import { unknownOptions } from '../graph/unknown-options.ts'
import { protoMessageReader } from './proto-reader.ts'
import { messageAt, messageNamed, parseProto, type ProtoFile } from './proto-schema.ts'
import { protoMessageWriter } from './proto-writer.ts'
import { refuseRecord } from './record-errors.ts'
import { readRegistry, registryFiles, SchemaRegistry } from './schema-registry.ts'

/** A record with more nesting than this in the indexes of its message is refused. */
const MAX_INDEXES = 16

/**
 * Protobuf's binary encoding, of the message that `schema` (a .proto text) or `file` declares: `message`, or the
 * first one. With `registry` each record names its schema by id and its message by index, and a source needs no
 * text of its own.
 */
export const protobufFormat: FormatReader = (options, problem) => {
  unknownOptions(options, ['schema', 'file', 'message', 'registry', 'subject', 'tls'], problem)
  const { registry: written, subject, schema, file, message } = options
  const registry = readRegistry(options, problem)
  for (const [name, value] of Object.entries({ schema, file, message, subject }))
    if (value !== undefined && (typeof value !== 'string' || value === '')) problem(name, 'must be a text')
  if (schema !== undefined && file !== undefined) problem('file', 'give schema or file, not both')
  if (schema === undefined && file === undefined && written === undefined)
    problem('schema', 'is needed: a .proto text; or its file, or a registry')
  const text = typeof schema === 'string' ? schema : undefined
  const path = typeof file === 'string' ? file : undefined
  const name = typeof message === 'string' ? message : undefined
  if (text !== undefined)
    for (const found of schemaProblems(() => messageNamed(parseProto(text), name))) problem('schema', found.message)
  const textFrom = (context: FormatContext): string | Promise<string> => text ?? textOf(path, context)
  return {
    opens: [
      ...(path === undefined ? [] : [{ path: 'protobuf.file', file: path, as: 'file' as const }]),
      ...registryFiles('protobuf', registry),
    ],
    check: ({ fields }) =>
      text === undefined || registry !== undefined
        ? []
        : schemaProblems(() => protoMessageReader(messageNamed(parseProto(text), name), fields)),
    async scanner(context, rows) {
      const { fields } = context.schema
      if (registry === undefined)
        return binaryScanner(protoMessageReader(messageNamed(parseProto(await textFrom(context)), name), fields), rows)
      const source = new SchemaRegistry(registry, context.ports)
      return wireScanner(
        async (id) => {
          const found = await source.schema(id)
          if (found.kind !== 'PROTOBUF')
            throw new MillraceError('PROTO_INVALID', `schema ${id} is ${found.kind}, not Protobuf`, { domain: 'user' })
          return indexedReader(parseProto(found.text), (indexes, proto) =>
            protoMessageReader(messageAt(proto, indexes), fields),
          )
        },
        rows,
        context.ports.clock,
      )
    },
    async writer(context) {
      const given = await textFrom(context)
      const proto = parseProto(given)
      const target = messageNamed(proto, name)
      const write = protoMessageWriter(target, context.schema.fields)
      if (registry === undefined) return binaryWriter(write, new Uint8Array(0))
      const place = proto.messages.indexOf(target)
      if (place < 0)
        throw new MillraceError(
          'PROTO_INVALID',
          `the message ${target.name} is nested in another one; a sink with a registry wants one of the file's own`,
          { domain: 'user' },
        )
      const id = await new SchemaRegistry(registry, context.ports).register(
        typeof subject === 'string' ? subject : `${context.topic ?? ''}-value`,
        { kind: 'PROTOBUF', text: given },
      )
      // the path to the message: its length and its indexes as zigzag varints, one zero for the first message
      const header = place === 0 ? [0] : [2, ...varintBytes(place * 2)]
      return binaryWriter(write, Buffer.concat([wireHeader(id), Buffer.from(header)]))
    },
  }
}

function varintBytes(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varintBytes(Math.floor(value / 128))]
}

async function textOf(path: string | undefined, { ports, baseDir }: FormatContext): Promise<string> {
  if (path === undefined)
    throw new MillraceError('PROTO_INVALID', 'a sink needs the .proto text that its records have', {
      domain: 'user',
      hint: 'write schema or file beside the registry',
    })
  const whole = isAbsolute(path) ? path : join(baseDir, path)
  if (!(await ports.files.exists(whole)))
    throw new MillraceError('FILE_MISSING', `there is no ${whole}`, {
      domain: 'user',
      hint: 'relative paths count from the folder of the job file',
    })
  return Buffer.from(await ports.files.read(whole, 0, await ports.files.sizeBytes(whole))).toString('utf8')
}

/** Reads the message indexes before each record (Confluent, "Wire Format") and then the message they name. */
function indexedReader(
  proto: ProtoFile,
  make: (indexes: readonly number[], proto: ProtoFile) => ReadValues,
): ReadValues {
  const readers = new Map<string, ReadValues>()
  return (input) => {
    const indexes = readIndexes(input)
    const key = indexes.join('.')
    let read = readers.get(key)
    if (read === undefined) readers.set(key, (read = make(indexes, proto)))
    return read(input)
  }
}

function readIndexes(input: ByteInput): number[] {
  const zigzag = (): number => {
    const value = input.varint()
    return (value >>> 1) ^ -(value & 1)
  }
  const count = zigzag()
  if (count === 0) return [0]
  if (count < 0 || count > MAX_INDEXES) refuseRecord(`the record names its message by ${count} indexes`)
  return Array.from({ length: count }, zigzag)
}
