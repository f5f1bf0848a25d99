import type { ReportOption } from '../../../graph/unknown-options.ts'
import { auth as login, checkWhole, type Auth } from '../../kit/auth-option.ts'
import { isLoopback } from '../../../model/loopback.ts'

export const auth = {
  type: login.type,
  doc: 'How the job logs in: `username` and `passwordFile`, or `tokenFile`, which are read again for each connection. The key `allowed-hosts` of the Secret says where its other keys may go.',
} as const

/** A rule of option sets that have `servers`, `tls` and `auth`. */
export function checkAuth(
  values: { servers: readonly string[] | undefined; tls: object | false | undefined; auth: Auth | undefined },
  report: ReportOption,
): void {
  if (values.auth === undefined) return
  checkWhole(values.auth, report)
  if (values.auth.insecure || values.tls !== false || (values.servers ?? []).every(isLoopback)) return
  report(
    'auth',
    'would travel as it is: tls is false',
    'write tls: true, or auth.insecure: true where the network is trusted',
  )
}
