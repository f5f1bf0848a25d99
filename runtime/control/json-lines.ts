import { MillraceError } from '../model/errors.ts'
import type { Connection } from '../ports/net.ts'

/** A control connection carries one JSON message a line. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024

export function sendMessage(connection: Connection, message: object): void {
  connection.write(Buffer.from(`${JSON.stringify(message)}\n`, 'utf8'))
}

/** What a reader of messages does with them. */
export interface MessageReader {
  /** `over`: nothing more is to be read, since the reader has destroyed the connection. */
  onMessage(message: { kind: string }): 'over' | void
  /** The connection has been destroyed: a line was not a JSON object, or too long. */
  onError(error: Error): void
  /** The most bytes of the next line; asked for as bytes arrive. MAX_LINE_BYTES when left out. */
  maxBytes?(): number
}

/** Reads messages until the connection ends. The receiver checks what a message claims to be. */
export function onMessages(connection: Connection, { onMessage, onError, maxBytes }: MessageReader): void {
  const begun = new BegunLine()
  let isOver = false
  const take = (line: Buffer): void => {
    if (onMessage(parseMessage(begun.endedBy(line))) === 'over') isOver = true
  }
  connection.onData((bytes) => {
    if (isOver) return
    try {
      const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      let from = 0
      for (let end = data.indexOf(10); end !== -1 && !isOver; end = data.indexOf(10, from)) {
        take(data.subarray(from, end))
        from = end + 1
      }
      if (from === data.length || isOver) return
      const most = maxBytes?.() ?? MAX_LINE_BYTES
      if (begun.length + data.length - from > most)
        throw new MillraceError('CONTROL_CORRUPT', `a control message is longer than ${most} bytes`)
      begun.add(data.subarray(from))
    } catch (error) {
      isOver = true
      connection.destroy()
      onError(error instanceof Error ? error : new Error(String(error)))
    }
  })
}

/**
 * The beginning of a line that has not ended, as a copy. One buffer: a list of pieces would cost a hundred times their
 * bytes when a peer sends them one by one.
 */
class BegunLine {
  #buffer: Buffer = Buffer.alloc(0)
  length = 0

  add(part: Buffer): void {
    const needed = this.length + part.length
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(2 * needed)
      this.#buffer.copy(larger, 0, 0, this.length)
      this.#buffer = larger
    }
    part.copy(this.#buffer, this.length)
    this.length = needed
  }

  /** The whole line; the next one begins with nothing. */
  endedBy(part: Buffer): Buffer {
    if (this.length === 0) return part
    const line = Buffer.concat([this.#buffer.subarray(0, this.length), part])
    this.#buffer = Buffer.alloc(0)
    this.length = 0
    return line
  }
}

function parseMessage(line: Buffer): { kind: string } {
  let value: unknown
  try {
    value = JSON.parse(line.toString('utf8'))
  } catch (cause) {
    throw new MillraceError('CONTROL_CORRUPT', `a control message of ${line.length} bytes is not JSON`, { cause })
  }
  if (typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string')
    return value as { kind: string }
  throw new MillraceError('CONTROL_CORRUPT', 'a control message has no kind')
}
