import type { ReportOption } from '../../../graph/unknown-options.ts'
import { mapping, type OptionValues } from '../../kit/option-set.ts'
import { isLoopback } from '../../../model/loopback.ts'
import { flag, secretFile } from '../../kit/option-types.ts'
import type { ServiceUrl } from './service-url-option.ts'

const TABLE = {
  tokenFile: {
    type: secretFile,
    secret: true,
    required: 'the path of a mounted Secret with a token',
    doc: 'The path of a mounted Secret with a token (JWT).',
  },
  insecure: {
    type: flag,
    default: false,
    doc: 'Sends the token without TLS too, where everybody on the way can read it.',
  },
} as const

export type PulsarAuth = OptionValues<typeof TABLE>

export const auth = {
  type: mapping(TABLE),
  doc: 'How the job logs in: with a token, which is read again for each connection and when a broker asks for a fresh one. The key `allowed-hosts` of the Secret says where its other keys may go.',
} as const

/** A rule of option sets that have `serviceUrl` and `auth`. */
export function checkAuth(
  { serviceUrl, auth: login }: { serviceUrl: ServiceUrl | undefined; auth: PulsarAuth | undefined },
  report: ReportOption,
): void {
  if (login === undefined || login.insecure || serviceUrl === undefined || serviceUrl.encrypts) return
  if (serviceUrl.addresses.every(isLoopback)) return
  report(
    'auth',
    'the token would travel as it is: serviceUrl begins with pulsar://',
    'take pulsar+ssl://, or write auth.insecure: true where the network is trusted',
  )
}
