import { MillraceError } from '../../model/errors.ts'

/**
 * With `acknowledge: count` the receiver writes how many records of the connection it keeps by now, as a decimal number
 * and a line end, whenever that grows. A sender whose connection ends sends the others again over a new one. The protocol
 * is Millrace's own: TCP itself says only that a kernel has the bytes.
 */
export function acknowledgement(records: number): Buffer {
  return Buffer.from(`${records}\n`)
}

/** Longer text without a line end is no acknowledgement. */
const LONGEST = 20

/** Reads the acknowledgements of one connection. */
export class AcknowledgementReader {
  #text = ''
  #count = 0

  /** The newest count. Throws ACKNOWLEDGEMENT_INVALID for anything else than numbers that grow up to `sent`. */
  push(bytes: Uint8Array, sent: number): number {
    this.#text += Buffer.from(bytes).toString('latin1')
    const lines = this.#text.split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) {
      const count = Number(line)
      if (!/^\d{1,15}$/.test(line) || count < this.#count || count > sent) throw invalid(line, sent)
      this.#count = count
    }
    if (this.#text.length > LONGEST) throw invalid(this.#text.slice(0, LONGEST), sent)
    return this.#count
  }
}

function invalid(line: string, sent: number): MillraceError {
  return new MillraceError(
    'ACKNOWLEDGEMENT_INVALID',
    `the receiver answered ${JSON.stringify(line)}, not how many of ${sent} records it has`,
    {
      domain: 'dependency',
      retriable: true,
      hint: 'acknowledge: count needs a receiver that counts, such as a tcp source.',
    },
  )
}
