import type { RowWriter } from '../../codegen/contracts.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldOf, type Row, type Schema } from '../../model/schema.ts'
import { wholeText } from '../../model/whole-text.ts'
import { recordOf } from '../kit/record-of.ts'
import type { NatsHeader, OutgoingMessage, StreamState } from './client.ts'
import type { NatsSinkOptions } from './declaration.ts'
import { LITERAL_SUBJECT, matchesSubject } from './declared/subjects.ts'

/** `NATS/1.0` and two line ends, and for each header a colon, a blank and a line end. */
const HEADERS_BYTES = 12
const HEADER_BYTES = 4
/** Room for the headers that say which stream is meant, and for the id beside its text. */
const OWN_HEADERS_BYTES = 512

/** Makes messages of the rows of a sink. */
export class OutgoingMessages {
  readonly #options: Pick<NatsSinkOptions, 'subject' | 'subjectField' | 'headers'>
  readonly #stream: StreamState
  readonly #maxBytes: number
  readonly #writer: RowWriter
  readonly #bytesFields: ReadonlySet<string>

  /** `maxPayload` is that of the servers. Throws NATS_SUBJECT_FOREIGN when the stream does not take the subject of all messages. */
  constructor(
    schema: Schema,
    options: Pick<NatsSinkOptions, 'subject' | 'subjectField' | 'headers'>,
    { stream, maxPayload, writer }: { stream: StreamState; maxPayload: number; writer: RowWriter },
  ) {
    this.#options = options
    this.#stream = stream
    this.#maxBytes = stream.maxMessageBytes < 0 ? maxPayload : Math.min(maxPayload, stream.maxMessageBytes)
    this.#writer = writer
    const named = Object.values(options.headers)
    this.#bytesFields = new Set(named.filter((name) => fieldOf(schema, name)?.logical?.kind === 'bytes'))
    if (options.subject === undefined || this.#takes(options.subject)) return
    throw new MillraceError(
      'NATS_SUBJECT_FOREIGN',
      `the stream ${stream.name} does not store the subject ${options.subject}; it has ${stream.subjects.join(', ')}`,
      {
        domain: 'user',
        retriable: true,
        hint: 'Add the subject to the stream (nats stream edit), or name another one.',
      },
    )
  }

  /** Throws VALUE_INVALID for what a message cannot say. */
  of(row: Row): OutgoingMessage {
    const { headers } = this.#options
    const message = {
      subject: this.#subjectOf(row),
      headers: Object.entries(headers).flatMap(([name, field]): NatsHeader[] => {
        const value = row[field]
        return value === null || value === undefined ? [] : [[name, this.#headerOf(field, value)]]
      }),
      data: recordOf(this.#writer, row),
    }
    const bytes = message.data.length + OWN_HEADERS_BYTES + headerBytes(message.headers)
    if (bytes > this.#maxBytes)
      throw invalid(
        `a message of ${bytes} bytes with its headers: the stream ${this.#stream.name} takes ${this.#maxBytes}`,
      )
    return message
  }

  #subjectOf(row: Row): string {
    const { subject, subjectField = '' } = this.#options
    if (subject !== undefined) return subject
    const value = row[subjectField]
    if (typeof value !== 'string' || !LITERAL_SUBJECT.test(wholeText(value)))
      throw invalid(`${subjectField} is ${JSON.stringify(value)}, which is no subject`)
    if (this.#takes(value)) return value
    throw invalid(`the stream ${this.#stream.name} does not store the subject ${value}`)
  }

  #takes(subject: string): boolean {
    return this.#stream.subjects.some((pattern) => matchesSubject(subject, pattern))
  }

  /** Bytes go as base64: headers are texts of one line, which servers and clients trim. */
  #headerOf(field: string, value: unknown): string {
    const text = String(value)
    if (this.#bytesFields.has(field)) return Buffer.from(text, 'latin1').toString('base64')
    if (/[\r\n]/.test(text) || text.trim() !== text)
      throw invalid(
        `${field} is ${JSON.stringify(text)}: a header is one line that neither begins nor ends with a blank`,
      )
    return wholeText(text)
  }
}

function headerBytes(headers: readonly NatsHeader[]): number {
  return headers.reduce(
    (sum, [name, value]) => sum + name.length + Buffer.byteLength(value) + HEADER_BYTES,
    HEADERS_BYTES,
  )
}

function invalid(reason: string): MillraceError {
  return new MillraceError('VALUE_INVALID', reason, { domain: 'user' })
}
