import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import type { HttpAnswer } from '../../ports/http-client.ts'

/** The gateway, or the servers behind it, cannot answer now. Retriable. */
export const UNAVAILABLE = 'HBASE_UNAVAILABLE'
/** What the server of the gateway says when it has cut a request in two: it has too many connections. */
const CUT = 'Bad Message 400'
/** Answers that say "later" without being errors of the server (RFC 9110, RFC 8470, RFC 6585). */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429])
const LONGEST_WORDS = 300

/** An answer that is no success → the error that the user sees, in the words of HBase. */
export function refusalOf(url: string, doing: string, answer: HttpAnswer): MillraceError {
  const { status } = answer
  const words = wordsOf(answer)
  const message = `the HBase gateway at ${url} answered ${status}, ${doing}${words === '' ? '' : `: ${words}`}`
  if (status === 401 || status === 403)
    return new MillraceError('HBASE_FORBIDDEN', message, {
      domain: 'user',
      retriable: true,
      hint: 'auth names the login of the job; GRANT gives rights.',
    })
  if (words.includes('TableNotFoundException'))
    return new MillraceError('HBASE_TABLE_UNKNOWN', message, {
      domain: 'user',
      retriable: true,
      hint: 'Create the table: the job continues then.',
    })
  if (words.includes('NoSuchColumnFamilyException')) return familyUnknown(message)
  if (status >= 500 || PASSING.has(status) || words.includes(CUT))
    return new MillraceError(UNAVAILABLE, message, { domain: 'dependency', retriable: true })
  if (status >= 300 && status < 400)
    return new MillraceError('HBASE_REDIRECTED', `${message}; redirects are not followed`, {
      domain: 'user',
      hint: 'Write the address that it leads to.',
    })
  if (status === 404) return noGateway(url, status)
  return new MillraceError('HBASE_REFUSED', message, { domain: 'user' })
}

export function familyUnknown(message: string): MillraceError {
  return new MillraceError('HBASE_FAMILY_UNKNOWN', message, {
    domain: 'user',
    retriable: true,
    hint: 'Add the column family to the table: the job continues then.',
  })
}

/** Another service answers at the address. */
export function noGateway(url: string, status: number): MillraceError {
  return new MillraceError(
    'HBASE_NO_GATEWAY',
    `what answers at ${url} (status ${status}) is no REST gateway of HBase`,
    { domain: 'user', hint: 'Check host and port of url: the gateway listens on 8080 by default.' },
  )
}

/** The gateway sends a word of its own, then the exception with its stack. */
function wordsOf({ body }: HttpAnswer): string {
  const lines = body.split('\n').map((line) => line.trim())
  const exception = lines.find((line) => /^[\w.$]+(?:Exception|Error)\b/.test(line))
  return clipped(exception ?? lines.filter((line) => line !== '').join(' '), LONGEST_WORDS)
}
