import type { RowWriter } from '../../codegen/contracts.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldOf, type Row, type Schema } from '../../model/schema.ts'
import { wholeText } from '../../model/whole-text.ts'
import { keyBytes, type MessageFields } from '../kit/message-fields.ts'
import { recordOf } from '../kit/record-of.ts'
import type { OutgoingMessage } from './message-batch.ts'

/** Makes messages of the rows of a sink. */
export class OutgoingMessages {
  readonly #fields: MessageFields
  readonly #writer: RowWriter
  readonly #bytesFields: ReadonlySet<string>

  constructor(schema: Schema, fields: MessageFields, writer: RowWriter) {
    this.#fields = fields
    this.#writer = writer
    const named = [fields.key, ...Object.values(fields.headers)].filter((name) => name !== undefined)
    this.#bytesFields = new Set(named.filter((name) => fieldOf(schema, name)?.logical?.kind === 'bytes'))
  }

  /** Throws VALUE_INVALID for what a message cannot say. */
  of(row: Row): OutgoingMessage {
    const { key, headers, timestamp, tombstone } = this.#fields
    const value = tombstone !== undefined && row[tombstone] === true ? null : recordOf(this.#writer, row)
    const message = {
      value,
      ...this.#keyOf(row),
      eventTime: timestamp === undefined ? undefined : this.#eventTime(row[timestamp]),
      properties: Object.entries(headers).flatMap(([name, field]) => {
        const text = row[field]
        return text === null || text === undefined ? [] : [{ name, value: this.#textOf(field, text) }]
      }),
    }
    if (value === null && message.key === undefined) throw invalid(`a tombstone has no key: ${key ?? 'key'} is null`)
    return message
  }

  #keyOf(row: Row): { key: string | undefined; isKeyBase64: boolean } {
    const { key: field } = this.#fields
    const bytes = field === undefined ? null : keyBytes(row[field])
    if (field === undefined || bytes === null) return { key: undefined, isKeyBase64: false }
    if (!this.#bytesFields.has(field)) return { key: bytes.toString('utf8'), isKeyBase64: false }
    return { key: this.#textOf(field, row[field]), isKeyBase64: true }
  }

  /** Pulsar's keys and properties are texts; bytes go as base64. */
  #textOf(field: string, value: unknown): string {
    const text = String(value)
    return this.#bytesFields.has(field) ? Buffer.from(text, 'latin1').toString('base64') : wholeText(text)
  }

  #eventTime(value: unknown): number | undefined {
    if (value === null || value === undefined) return undefined
    const time = Number(value)
    // 0 means none in the protocol
    if (time > 0) return time
    throw invalid(`${this.#fields.timestamp} is ${new Date(time).toISOString()}: Pulsar takes no event time up to 1970`)
  }
}

function invalid(reason: string): MillraceError {
  return new MillraceError('VALUE_INVALID', reason, { domain: 'user' })
}
