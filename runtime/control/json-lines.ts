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
  /** The beginning of a line that has not ended. */
  let begun: Buffer[] = []
  let begunBytes = 0
  let isOver = false
  const take = (line: Buffer): void => {
    const whole = begun.length === 0 ? line : Buffer.concat([...begun, line])
    begun = []
    begunBytes = 0
    if (onMessage(parseMessage(whole)) === 'over') isOver = true
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
      // The bytes are there during this call alone.
      begun.push(Buffer.from(data.subarray(from)))
      begunBytes += data.length - from
      const most = maxBytes?.() ?? MAX_LINE_BYTES
      if (begunBytes > most)
        throw new MillraceError('CONTROL_CORRUPT', `a control message is longer than ${most} bytes`)
    } catch (error) {
      isOver = true
      connection.destroy()
      onError(error instanceof Error ? error : new Error(String(error)))
    }
  })
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
