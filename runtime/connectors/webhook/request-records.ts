import { MillraceError } from '../../model/errors.ts'
import { jsonItems } from '../kit/json-items.ts'

const LINE_END = 10

/** A body of tiny records would cost many times its bytes. */
const MOST_RECORDS = 10_000

/** The records of a request's body. Throws BODY_INVALID for an array that is none, TOO_MANY_RECORDS. */
export function recordsOf(body: Buffer, form: 'row' | 'lines' | 'array'): Buffer[] {
  if (form === 'row') return [body]
  return form === 'lines' ? linesOf(body) : itemsOf(body)
}

function checkCount(records: number): void {
  if (records <= MOST_RECORDS) return
  throw new MillraceError('TOO_MANY_RECORDS', `a request has at most ${MOST_RECORDS} records`, { domain: 'user' })
}

function linesOf(body: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(LINE_END, start)
    const end = found < 0 ? body.length : found
    const line = body.subarray(start, end)
    if (!isBlank(line)) lines.push(line)
    checkCount(lines.length)
    start = end + 1
  }
  return lines
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 32 || byte === 9 || byte === 13)
}

function itemsOf(body: Buffer): Buffer[] {
  const whole = parsed(body)
  if (!Array.isArray(whole)) throw invalid('the body is no JSON array')
  checkCount(whole.length)
  const { starts, ends } = jsonItems(body, [])
  return starts.map((start, index) => body.subarray(start, ends[index]))
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw invalid(`the body is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function invalid(message: string): MillraceError {
  return new MillraceError('BODY_INVALID', message, { domain: 'user' })
}
