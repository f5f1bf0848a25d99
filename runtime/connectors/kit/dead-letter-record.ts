import type { DeadLetter } from '../dead-letters.ts'

/** The bytes of the record as it was. They may share memory with the letter: copy them to keep them. */
export function recordBytes({ record }: DeadLetter): Buffer {
  return typeof record === 'string'
    ? Buffer.from(record)
    : Buffer.from(record.buffer, record.byteOffset, record.byteLength)
}
