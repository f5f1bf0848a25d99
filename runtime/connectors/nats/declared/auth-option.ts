import type { ReportOption } from '../../../graph/unknown-options.ts'
import { isLoopback } from '../../kit/loopback.ts'
import { mapping, type OptionValues } from '../../kit/option-set.ts'
import { flag, secretFile, text } from '../../kit/option-types.ts'

const TABLE = {
  username: { type: text, doc: 'The user, beside `passwordFile`.' },
  passwordFile: { type: secretFile, secret: true, doc: 'The path of a mounted Secret with the password.' },
  tokenFile: { type: secretFile, secret: true, doc: 'The path of a mounted Secret with a token.' },
  insecure: {
    type: flag,
    default: false,
    doc: 'Sends them without TLS too, where everybody on the way can read them.',
  },
} as const

export type NatsAuth = OptionValues<typeof TABLE>

export const auth = {
  type: mapping(TABLE),
  doc: 'How the job logs in: `username` and `passwordFile`, or `tokenFile`, which are read again for each connection. The key `allowed-hosts` of the Secret says where its other keys may go.',
} as const

/** A rule of option sets that have `servers`, `tls` and `auth`. */
export function checkAuth(
  {
    servers,
    tls,
    auth: login,
  }: { servers: readonly string[] | undefined; tls: object | false | undefined; auth: NatsAuth | undefined },
  report: ReportOption,
): void {
  if (login === undefined) return
  const { username, passwordFile, tokenFile, insecure } = login
  const isUser = username !== undefined || passwordFile !== undefined
  if (isUser === (tokenFile !== undefined)) report('auth', 'must have either username and passwordFile, or tokenFile')
  else if (isUser && (username === undefined || passwordFile === undefined))
    report('auth', 'needs both username and passwordFile')
  if (insecure || tls !== false || (servers ?? []).every(isLoopback)) return
  report(
    'auth',
    'would travel as it is: tls is false',
    'write tls: true, or auth.insecure: true where the network is trusted',
  )
}
