import { checkSeal, fileCorrupt, seal, SEAL_BYTES } from '../kit/sealed-file.ts'
import type { NatsHeader } from './client.ts'
import type { NumberedMessage } from './publisher.ts'

const CORRUPT = 'NATS_STAGED_CORRUPT'
/** Before each message: the lengths of its head and of its data. */
const LENGTHS_BYTES = 8

/** Messages as the file at `path` keeps them until their checkpoint is complete; heads are JSON, lengths big-endian. */
export function encodeStaged(messages: readonly NumberedMessage[], path: string): Buffer {
  const parts: Uint8Array[] = [Buffer.alloc(SEAL_BYTES)]
  for (const { n, subject, headers, data } of messages) {
    const head = Buffer.from(JSON.stringify([n, subject, headers]))
    const lengths = Buffer.alloc(LENGTHS_BYTES)
    lengths.writeUInt32BE(head.length, 0)
    lengths.writeUInt32BE(data.length, 4)
    parts.push(lengths, head, data)
  }
  const bytes = Buffer.concat(parts)
  seal(bytes, path)
  return bytes
}

/** The data are views. Throws NATS_STAGED_CORRUPT, which names the file. */
export function decodeStaged(bytes: Buffer, path: string): NumberedMessage[] {
  checkSeal(bytes, path, CORRUPT)
  const messages: NumberedMessage[] = []
  for (let at = SEAL_BYTES; at < bytes.length; ) {
    const headAt = at + LENGTHS_BYTES
    const dataAt = headAt <= bytes.length ? headAt + bytes.readUInt32BE(at) : Infinity
    const end = dataAt <= bytes.length ? dataAt + bytes.readUInt32BE(at + 4) : Infinity
    if (end > bytes.length) throw fileCorrupt(CORRUPT, path, `it is cut off at byte ${at}`)
    const head = headOf(bytes.toString('utf8', headAt, dataAt))
    if (head === undefined) throw fileCorrupt(CORRUPT, path, `at byte ${at} is no message`)
    messages.push({ ...head, data: bytes.subarray(dataAt, end) })
    at = end
  }
  return messages
}

function headOf(json: string): Omit<NumberedMessage, 'data'> | undefined {
  const head = parsed(json)
  if (!Array.isArray(head)) return undefined
  const [n, subject, headers] = head as unknown[]
  if (!Number.isSafeInteger(n) || typeof subject !== 'string' || !Array.isArray(headers)) return undefined
  return headers.every(isHeader) ? { n: Number(n), subject, headers } : undefined
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isHeader(value: unknown): value is NatsHeader {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string')
}
