import { MillraceError } from '../model/errors.ts'
import type { Connection } from '../ports/net.ts'

/** A control connection carries one JSON message a line. */
const MAX_LINE_BYTES = 16 * 1024 * 1024

export function sendMessage(connection: Connection, message: object): void {
  connection.write(Buffer.from(`${JSON.stringify(message)}\n`, 'utf8'))
}

/**
 * Calls `onMessage` for every message. A line that is not a JSON object, or too long, destroys the connection and
 * is reported through `onError`. The receiver's switch on `kind` checks what a message claims to be.
 */
export function onMessages(
  connection: Connection,
  onMessage: (message: { kind: string }) => void,
  onError: (error: Error) => void,
): void {
  let rest: Buffer = Buffer.alloc(0)
  connection.onData((bytes) => {
    rest = rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes])
    try {
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        const line = rest.subarray(0, end)
        rest = rest.subarray(end + 1)
        onMessage(parseMessage(line))
      }
      if (rest.length > MAX_LINE_BYTES)
        throw new MillraceError('CONTROL_CORRUPT', `a control message is longer than ${MAX_LINE_BYTES} bytes`)
    } catch (error) {
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
