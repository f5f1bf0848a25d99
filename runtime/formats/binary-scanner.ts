import type { RecordBounds, RowScanner, RowWriter } from '../codegen/contracts.ts'
import type { RowClass } from '../codegen/rows/row.ts'
import { MillraceError } from '../model/errors.ts'
import type { Row } from '../model/schema.ts'
import type { Clock } from '../ports/clock.ts'
import { ByteInput } from './byte-input.ts'
import { ByteOutput } from './byte-output.ts'
import { refuseRecord } from './record-errors.ts'
import { WIRE_HEADER_BYTES } from './schema-registry.ts'

const ASK_AGAIN_MS = 10_000

/** Reads one record, of which nothing may be left, as the values of a row. */
export type ReadValues = (input: ByteInput) => unknown[]

/** A scanner of records that all have one schema. */
export function binaryScanner(read: ReadValues, Rows: RowClass): RowScanner {
  const input = new ByteInput()
  return {
    row(bytes, start, end) {
      input.open(bytes, start, end)
      return rowOf(read, input, Rows)
    },
  }
}

function rowOf(read: ReadValues, input: ByteInput, Rows: RowClass): Row {
  const values = read(input)
  if (!input.isAtEnd) refuseRecord(`${input.end - input.at} bytes are left behind the record`)
  return new Rows(...values)
}

/**
 * A scanner of records in Confluent's wire format. `load` gives the reader of a schema id; what it rejects with is
 * the error of every record with that id when it is a user's (MillraceError of domain user), and of the source
 * otherwise. An id that the registry does not know is asked for again some time later: one of its replicas may be
 * behind.
 */
export function wireScanner(load: (id: number) => Promise<ReadValues>, Rows: RowClass, clock: Clock): RowScanner {
  const readers = new Map<number, ReadValues | MillraceError>()
  const unknown = new Map<number, number>()
  const input = new ByteInput()
  const isMissing = (id: number): boolean => !readers.has(id) || (unknown.get(id) ?? Infinity) <= clock.now()
  const add = async (id: number): Promise<void> => {
    unknown.delete(id)
    try {
      readers.set(id, await load(id))
    } catch (error) {
      if (!(error instanceof MillraceError) || error.domain !== 'user') throw error
      readers.set(id, error)
      if (error.code === 'SCHEMA_UNKNOWN') unknown.set(id, clock.now() + ASK_AGAIN_MS)
    }
  }
  return {
    prepare(records) {
      const missing = [...idsOf(records)].filter(isMissing)
      return missing.length === 0 ? undefined : Promise.all(missing.map(add)).then(() => undefined)
    },
    row(bytes, start, end) {
      if (end - start < WIRE_HEADER_BYTES || bytes[start] !== 0)
        refuseRecord('the record does not begin with a zero byte and a schema id, as records of a schema registry do')
      const id = bytes.readInt32BE(start + 1)
      const read = readers.get(id)
      if (read === undefined) refuseRecord(`schema ${id} was not looked up`)
      if (read instanceof MillraceError) refuseRecord(`the record has schema ${id}: ${read.message}`, read)
      input.open(bytes, start + WIRE_HEADER_BYTES, end)
      return rowOf(read, input, Rows)
    },
  }
}

function idsOf({ bytes, count, valueStarts, valueEnds }: RecordBounds): Set<number> {
  const ids = new Set<number>()
  for (let i = 0; i < count; i++) {
    const start = valueStarts[i] ?? 0
    if ((valueEnds[i] ?? 0) - start >= WIRE_HEADER_BYTES && bytes[start] === 0) ids.add(bytes.readInt32BE(start + 1))
  }
  return ids
}

/** Writes rows with `write`, each behind `header`. */
export function binaryWriter(write: (output: ByteOutput, row: Row) => void, header: Uint8Array): RowWriter {
  const output = new ByteOutput()
  return {
    encodeInto(row, buffer, at) {
      output.open(buffer, at)
      for (const byte of header) output.byte(byte)
      write(output, row)
      return output.isFull ? -1 : output.at - at
    },
  }
}

/** What stands before records of the schema. */
export function wireHeader(id: number): Uint8Array {
  const header = Buffer.alloc(WIRE_HEADER_BYTES)
  header.writeInt32BE(id, 1)
  return header
}
